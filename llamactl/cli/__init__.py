"""What people type. typer parses, rich shows; each command asks the daemon through `rpc` and renders.

One file per noun, `session` for the global flags and the connection, `render` for tables and JSON. It
must not know how anything is done: no SQLite, no event loop, no process but the daemon it may start.
What is asked all the time and has a short answer gets it from `quick`, before any of that is loaded.

Start reading at `app`.
"""

import gc
import os
import sys
import time

from llamactl.cli import quick


def main() -> None:
    """The `llamactl` command."""
    _main(sys.argv[1:])


def daemon_main() -> None:
    """The `llamactld` command: `llamactl daemon run`."""
    _main(["daemon", "run", *sys.argv[1:]])


def _main(arguments: list[str]) -> None:
    began = time.monotonic()
    # Either is None when it was closed (`>&-`).
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 (open as long as we run)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    try:
        if quick.done(arguments):
            return
        from llamactl.cli.app import run
        from llamactl.cli.session import session
    except KeyboardInterrupt:
        sys.exit(130)
    session.began = began
    code = run(arguments)
    gc.freeze()  # or Python looks for cycles in all of it once more before it ends: a sixth of the time of `status`
    sys.exit(code)
