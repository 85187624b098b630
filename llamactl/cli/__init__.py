"""What people type. typer parses, rich shows; each command asks the daemon through `rpc` and renders.

One file per noun, `session` for the global flags and the connection, `render` for tables and JSON. It
must not know how anything is done: no SQLite, no event loop, no process but the daemon it may start.

Start reading at `app`.
"""

import sys


def main() -> None:
    """The `llamactl` command."""
    from llamactl.cli.app import run

    sys.exit(run(sys.argv[1:]))


def daemon_main() -> None:
    """The `llamactld` command: `llamactl daemon run`."""
    from llamactl.cli.app import run

    sys.exit(run(["daemon", "run", *sys.argv[1:]]))
