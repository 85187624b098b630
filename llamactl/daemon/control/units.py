"""The files that systemd runs this daemon by."""

from functools import partial

import anyio.to_thread

from llamactl.config import systemd
from llamactl.daemon.control.noun import Handlers
from llamactl.rpc import calls


class UnitCalls:
    """`daemon.install_units`"""

    def __init__(self) -> None:
        self.handlers: Handlers = {calls.InstallUnits: self._install}

    async def _install(self, call: calls.InstallUnits) -> calls.UnitFiles:
        units = await anyio.to_thread.run_sync(partial(systemd.install, user=call.user, dry_run=call.dry_run))
        return calls.UnitFiles(
            dry_run=call.dry_run,
            units=[calls.UnitFile(str(unit.path), unit.state) for unit in units],
            next=systemd.following(user=call.user),
        )
