"""What people type. typer parses, rich shows; each command asks the daemon through `rpc` and renders.

One file per noun, `session` for the global flags and the connection, `render` for tables and JSON. It
must not know how anything is done: no SQLite, no event loop, no process but the daemon it may start.

Start reading at `app`.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """The `llamactl` command."""
    _main(sys.argv[1:])


def daemon_main() -> None:
    """The `llamactld` command: `llamactl daemon run`."""
    _main(["daemon", "run", *sys.argv[1:]])


def _main(arguments: list[str]) -> None:
    from llamactl.cli.app import run

    # Either is None when it was closed (`>&-`).
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (open as long as we run)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    sys.exit(run(arguments))
