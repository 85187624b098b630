"""How long the scheduler thinks, in processor time."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from llamactl.core.scheduler import Effect, Grant, Limits, Resident, Scheduler, Start, Stop

from .place import Place
from .report import show, verdict

MODELS, QUEUED, STEPS = 1000, 10_000, 2000
ROOMS = (10, 100, 400)
"""So many of the models have room at once."""

T = TypeVar("T")


class Play:
    """Requests, releases, loads and ends in a mixed order, while so many wait."""

    def __init__(self, room: int) -> None:
        self.chance = random.Random(room)
        self.needs = [
            {"host": self.chance.randint(50, 150), "gpu": self.chance.choice((0, 100))} for _ in range(MODELS)
        ]
        limits = Limits(
            budget={"host": 100 * room, "gpu": 60 * room}, queue_per_model=QUEUED, queue_total=QUEUED, max_wait=10.0
        )
        self.scheduler = Scheduler(limits)
        self.took: dict[str, list[float]] = {}
        self.starting: list[str] = []
        self.stopping: list[str] = []
        self.leases: list[Resident] = []
        self.now = 0.0
        self.ticket = 0

    def timed(self, kind: str, decide: Callable[[], T]) -> T:
        began = time.thread_time()
        decided = decide()
        self.took.setdefault(kind, []).append(time.thread_time() - began)
        return decided

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Start(model):
                    self.starting.append(model)
                case Stop(model):
                    self.stopping.append(model)
                case Grant(_, model):
                    self.leases.append(self.scheduler.residents[model])

    def step(self) -> None:
        self.now += 0.001
        self.timed("wake_at", lambda: self.scheduler.wake_at(self.now))
        if self.scheduler.lines.waiters < QUEUED - 1:
            self.comes()
        if self.chance.random() < 0.1:
            self.perform(self.timed("cancel", lambda: self.scheduler.cancel(self.ticket, self.now)))
        if self.chance.random() < 0.1:
            self.perform(self.timed("tick", lambda: self.scheduler.tick(self.now)))
        if self.chance.random() < 0.3:
            self.something_ends()

    def comes(self) -> None:
        """A request."""
        self.now += 0.0001
        number = min(int(self.chance.expovariate(1 / 300)), MODELS - 1)
        self.ticket += 1
        need, model, ticket, priority = self.needs[number], f"m{number}", self.ticket, self.chance.choice((0, 0, 1))
        request = self.scheduler.request
        self.perform(self.timed("request", lambda: request(ticket, model, need, self.now, 60.0, priority)))

    def something_ends(self) -> None:
        for _ in range(self.chance.randint(0, min(12, len(self.leases)))):
            resident = self.leases.pop(self.chance.randrange(len(self.leases)))
            self.perform(self.timed("release", partial(self.scheduler.release, resident, self.now)))
        if self.starting and self.chance.random() < 0.5:
            model = self.starting.pop(0)
            self.perform(self.timed("ready", lambda: self.scheduler.ready(model, self.now)))
        if self.stopping:
            model = self.stopping.pop(0)
            self.perform(self.timed("gone", lambda: self.scheduler.gone(model, self.now)))


def played(room: int) -> dict[str, list[float]]:
    """Seconds of each decision by its kind, once the queues are long."""
    play = Play(room)
    while play.scheduler.lines.waiters < QUEUED - 1:
        play.comes()
        if play.starting:
            model = play.starting.pop()
            play.perform(play.scheduler.ready(model, play.now))
    for _ in range(200):
        play.step()
    play.took.clear()
    gc.collect()
    gc.freeze()  # as the daemon does once it is up
    for _ in range(STEPS):
        play.step()
    gc.unfreeze()
    return play.took


def deciding(place: Place, names: Sequence[str]) -> None:
    """Decisions of the scheduler: 1,000 models, 10,000 queued requests."""
    for room in ROOMS:
        took = played(room)
        rows: list[tuple[str, int, float, float, float]] = []
        for kind, seconds in {**took, "all": [one for each in took.values() for one in each]}.items():
            micro = sorted(1e6 * one for one in seconds)
            rows.append((kind, len(micro), statistics.median(micro), micro[int(0.99 * len(micro))], micro[-1]))
        show(
            f"deciding, room for {room} of {MODELS} models, {QUEUED} wait",
            ["", "decisions", "µs", "99 %", "most"],
            rows,
        )
        verdict("µs, median", rows[-1][2], 200)
        verdict("µs, the longest", rows[-1][4], 5000)
