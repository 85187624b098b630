"""A process that publishes events as fast as it can, each kept by a journal, until it is killed.

What its followers are told goes to stdout, a number a line. It begins anew in a fork when it is asked for by a line.
"""

import os
import signal
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import anyio

from llamactl.core.events import CatalogueChanged
from llamactl.daemon.journal import Journal
from llamactl.hub import Hub
from llamactl.store import Database


async def live(path: Path) -> None:
    with Database(path) as database:
        ticks = count()
        journal = Journal(database.events, lambda: float(next(ticks)))  # it need not pause
        hub = Hub(last=database.events.last(), keep=journal.take)

        async def publish() -> None:
            while True:
                for _ in range(7):
                    hub.publish(CatalogueChanged(added=(f"{hub.last + 1} of {os.getpid()}",)))
                await anyio.sleep(0.0003)

        async with anyio.create_task_group() as group:
            await group.start(journal.run, hub.tell)
            group.start_soon(publish)
            with hub.follow() as follower:
                async for numbered in follower:
                    assert isinstance(numbered.event, CatalogueChanged)
                    os.write(1, f"{numbered.id} {numbered.event.added[0]}\n".encode())


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            with suppress(KeyboardInterrupt):
                anyio.run(live, Path(sys.argv[1]))
            os._exit(1)
        os.write(1, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(1, f"killed {os.WTERMSIG(status) == signal.SIGKILL} {line}".encode())


if __name__ == "__main__":
    main()
