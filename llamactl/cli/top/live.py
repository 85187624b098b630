"""`llamactl top`: what happens is heard by one thread, what has to be asked for by another, drawn and typed here."""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

import msgspec
from rich.live import Live
from rich.text import Text

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.cli.top.drawing import screen
from llamactl.cli.top.looking import Action, Looking, keys, press
from llamactl.cli.top.pictures import FINE, PLAIN
from llamactl.cli.top.present import fresh, with_past
from llamactl.cli.top.terminal import Terminal
from llamactl.cli.top.view import TYPES, Fresh, View, fold, refresh
from llamactl.core.errors import LlamactlError
from llamactl.rpc.calls import Lost, Notice, StartModel, StopModel

EACH = 2.0
"""Seconds between two questions."""
DRAWN = 0.2
"""Seconds between two pictures at least: what is slower than that is not seen, what is faster costs an ssh dear."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each try to come back to a daemon that is away; and then always the last."""

Told = View | Fresh | Notice | str
"""A string is to be said to the user."""


def run() -> None:
    """Until the user has had enough."""
    with session.client() as client:
        view = with_past(client)
    told: SimpleQueue[Told] = SimpleQueue()
    with Terminal() as terminal:

        def tell(what: Told) -> None:
            told.put(what)
            terminal.wake()

        threading.Thread(target=_watch, args=(tell,), daemon=True).start()
        threading.Thread(target=_ask, args=(tell,), daemon=True).start()
        _loop(view, terminal, told, tell)


def _loop(view: View, terminal: Terminal, told: SimpleQueue[Told], tell: Callable[[Told], None]) -> None:
    looking, still = Looking(), view
    glyphs = FINE if session.fine(sys.stdout) else PLAIN
    console = render.console()
    with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        while True:
            size = console.size
            rows = screen(still if looking.paused else view, looking, size.width, size.height, glyphs)
            live.update(Text("\n").join(rows), refresh=True)
            drawn = time.monotonic()
            typed = terminal.wait(1.0)
            while not typed and (early := drawn + DRAWN - time.monotonic()) > 0:
                typed = terminal.wait(early)
            with suppress(Empty):
                while True:
                    view, looking = _taken(view, looking, told.get_nowait())
            for key in keys(typed):
                paused = looking.paused
                looking, action = press(looking, key, view)
                if action is not None:
                    if action.what == "quit":
                        return
                    threading.Thread(target=_act, args=(action, tell), daemon=True).start()
                if looking.paused and not paused:
                    still = view.copy()


def _taken(view: View, looking: Looking, told: Told) -> tuple[View, Looking]:
    match told:
        case str():
            return view, msgspec.structs.replace(looking, message=told)
        case View():
            return told, looking
        case Fresh():
            refresh(view, told)
        case Lost(lost):
            return view, msgspec.structs.replace(looking, message=f"{lost} events were too fast for this terminal")
        case _:
            fold(view, told)
    return view, looking


# --- threads, which end with the process --------------------------------------------------------------


def _watch(tell: Callable[[Told], None]) -> None:
    """What happens, over all interruptions; whoever comes back sees the present first."""
    tries = 0
    while True:
        try:
            with session.client(None, tell) as client, session.client() as asking:
                _, notices = client.watch(types=TYPES)
                tell(with_past(asking))
                if tries:
                    tell("connected again")
                tries = 0
                for notice in notices:
                    tell(notice)
        except Exception as error:  # whatever it was: the user has to know that nothing comes any more
            tell(f"{error}; trying again")
        time.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
        tries += 1


def _ask(tell: Callable[[Told], None]) -> None:
    while True:
        with suppress(Exception), session.client(told=_silently) as client:  # the watching thread says what is wrong
            while True:
                tell(fresh(client))
                time.sleep(EACH)
        time.sleep(EACH)


def _act(action: Action, tell: Callable[[Told], None]) -> None:
    try:
        with session.client(None, _silently) as client:
            if action.what == "start":
                client.call(StartModel(action.model))
                tell(f"{action.model} is ready")
            else:
                client.call(StopModel(action.model))
                tell(f"{action.model} is stopped")
    except LlamactlError as error:
        tell(error.message)


def _silently(_: str) -> None:
    """Another connection says the same."""
