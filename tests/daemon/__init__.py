"""The daemon's parts, each by itself. What needs time has the virtual time of `tests.supervisor`."""
