"""Performs what the scheduler decides: lease, pin, start, stop.

Owns every running llama-server through the `Server` protocol, and nothing else: not what a model is
(`core`), not how a process is made (`llamaserver`, handed in as a `Launcher`), not who asks (`proxy`,
`daemon.control`). It uses anyio only, so its tests run in virtual time.

Start reading at `supervisor.Supervisor`, then `runner.live`.
"""

from llamactl.supervisor.lease import Lease
from llamactl.supervisor.past import Past
from llamactl.supervisor.server import Launcher, Server
from llamactl.supervisor.supervisor import Supervisor
from llamactl.supervisor.watchdog import Watchdog

__all__ = ["Launcher", "Lease", "Past", "Server", "Supervisor", "Watchdog"]
