"""How far a load is, for who looks on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import LlamactlError
from llamactl.core.waiting import told
from llamactl.rpc.calls import ListInstances, ShowModel

GLANCE = 0.5
"""Seconds between two looks."""


@contextmanager
def loading(name: str) -> Iterator[None]:
    """On a terminal, as far as can be told from how long it took before; nothing elsewhere."""
    with render.working(f"loading {name} …") as say:
        if not session.animated:
            yield
            return
        ended = threading.Event()
        threading.Thread(target=_look, args=(name, say, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()


def _look(name: str, say: Callable[[str], object], ended: threading.Event) -> None:
    with suppress(LlamactlError), session.client() as client:
        model = client.call(ShowModel(name)).name  # it may go by an alias
        while not ended.wait(GLANCE):
            for row in client.call(ListInstances()):
                if row.name == model and row.state != "ready":
                    say(told(model, row.state, row.age, row.eta, row.position, row.next_try, row.loaded))
