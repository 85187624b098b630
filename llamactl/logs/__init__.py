"""Records of what happened. So far the daemon's own, to the console or to the file it was detached with."""

import logging
import sys


def to_console(level: str) -> None:
    """The daemon's own records, one line each, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level={"warn": "WARNING"}.get(level, level.upper()), handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
