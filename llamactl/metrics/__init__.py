"""Measuring. So far only what the scheduler's budget needs: `host`."""
