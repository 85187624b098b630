"""How far something is that takes a while there, for who looks on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import LlamactlError
from llamactl.core.units import show_size
from llamactl.core.waiting import told
from llamactl.rpc.calls import ListInstances, ShowModel, ShowStarter

GLANCE = 0.5
"""Seconds between two looks."""

Say = Callable[[str], object]


@contextmanager
def loading(name: str) -> Iterator[None]:
    """On a terminal, as far as can be told from how long it took before; nothing elsewhere."""

    def look(say: Say, ended: threading.Event) -> None:
        with session.client() as client:
            model = client.call(ShowModel(name)).name  # it may go by an alias
            while not ended.wait(GLANCE):
                for row in client.call(ListInstances()):
                    if row.name == model and row.state != "ready":
                        say(told(model, row.state, row.age, row.eta, row.position, row.next_try, row.loaded))

    with _looking(f"loading {name} …", look):
        yield


@contextmanager
def fetching() -> Iterator[None]:
    """The same of the starter model, where the daemon fetches it."""

    def look(say: Say, ended: threading.Event) -> None:
        with session.client() as client:
            while not ended.wait(GLANCE):
                row = client.call(ShowStarter())
                if row.fetching:
                    of = f" of {show_size(row.total)}" if row.total else ""
                    say(f"{row.fetching}: {show_size(row.done)}{of}")

    with _looking("having the starter model fetched …", look):
        yield


@contextmanager
def _looking(message: str, look: Callable[[Say, threading.Event], None]) -> Iterator[None]:
    """`look` says how far it is until the event tells that it has ended; not where nobody would see that."""
    with render.working(message) as say:
        if not session.animated:
            yield
            return

        def quietly() -> None:
            with suppress(LlamactlError):
                look(say, ended)

        ended = threading.Event()
        threading.Thread(target=quietly, daemon=True).start()
        try:
            yield
        finally:
            ended.set()
