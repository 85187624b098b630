"""What the daemon can see of the machine."""

from collections.abc import Callable, Iterable

import anyio.to_thread

from llamactl.core.sample import Gpu
from llamactl.core.surroundings import Surroundings
from llamactl.daemon.control.noun import Handlers
from llamactl.metrics import surroundings
from llamactl.rpc import calls


class SurroundingsCalls:
    """`daemon.surroundings`"""

    def __init__(self, gpus: Callable[[], Iterable[Gpu]]) -> None:
        """`gpus` are those whose drivers tell of them, as they are now."""
        self._gpus = gpus
        self.handlers: Handlers = {calls.ShowSurroundings: self._show}

    async def _show(self, _: calls.ShowSurroundings) -> Surroundings:
        return await anyio.to_thread.run_sync(lambda: surroundings.look(self._gpus()))
