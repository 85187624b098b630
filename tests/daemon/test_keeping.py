"""Models that are loaded though nobody asks: in virtual time, with llama-servers that are none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio
import pytest

from llamactl.catalogue import Catalogue
from llamactl.config.sections import Models
from llamactl.core.errors import NotFound
from llamactl.core.model import Model
from llamactl.daemon.keeping import REST, Keeping
from tests.supervisor.fakes import Engine, Habits, now
from tests.supervisor.stage import A, B, C, Stage, stage

pytestmark = pytest.mark.anyio


class Shelf:
    """The part of a catalogue that counts here."""

    def resolve(self, name: str) -> Model:
        for model in (A, B, C):
            if model.name == name:
                return model
        raise NotFound(f"no model {name}")


class Stove:
    """Warms, and remembers whom and when."""

    def __init__(self) -> None:
        self.warmed: list[tuple[str, float]] = []

    async def __call__(self, endpoint: str, timeout: float) -> bool:
        self.warmed.append((endpoint.removeprefix("/run/")[0], now()))
        await anyio.sleep(0.5)
        return True


@asynccontextmanager
async def kept(
    models: Models,
    *,
    engine: Engine | None = None,
    ttl: float = -1.0,
    max_models: int = 0,
    known: tuple[str, ...] = (),
) -> AsyncIterator[tuple[Stage, Stove]]:
    stove = Stove()
    async with stage(engine, ttl=ttl, max_models=max_models) as play:
        await play.group.start(Keeping(models, play.hub, cast(Catalogue, Shelf()), play.supervisor, stove, known).run)
        yield play, stove


async def test_models_are_loaded_in_their_order_and_warmed() -> None:
    async with kept(Models(preload=("c", "a"))) as (play, stove):
        await anyio.sleep(5)
        assert play.engine.launches == ["c", "a"]
        assert [name for name, _ in stove.warmed] == ["c", "a"]
        assert play.supervisor.instance("a").leases == 0


async def test_what_was_there_before_a_reexecution_may_have_been_stopped_since() -> None:
    async with kept(Models(preload=("c", "a"), standby="b"), known=("c", "b")) as (play, _):
        await anyio.sleep(100)
        assert play.engine.launches == ["a"], "which is the only one that was not there yet"


async def test_one_that_cannot_be_loaded_does_not_keep_the_others_from_it() -> None:
    async with kept(Models(preload=("x", "a", "b")), engine=Engine(a=Habits(refused="broken"))) as (play, _):
        await anyio.sleep(5)
        assert play.engine.running == ["b"]


async def test_what_is_pinned_is_warmed_whoever_starts_it_and_others_are_not() -> None:
    async with kept(Models()) as (play, stove):
        play.supervisor.pin("a")
        await play.supervisor.start(A)
        await play.supervisor.start(B)
        await anyio.sleep(1)
        assert [name for name, _ in stove.warmed] == ["a"]


async def test_warming_is_no_use_that_a_model_without_patience_would_end_with() -> None:
    async with kept(Models(preload=("a",)), ttl=0.0) as (play, stove):
        await anyio.sleep(10)
        assert stove.warmed and play.state(A) == "ready"
        play.ask(A)
        await anyio.sleep(1)
        (lease,) = play.supervisor._instances["a"].leases
        lease.release()
        assert play.state(A) == "stopping"


async def test_one_that_is_stopped_while_it_is_warmed() -> None:
    async with kept(Models(preload=("a",))) as (play, _):
        await play.supervisor.wait("a", {"ready"}, 10)
        await anyio.sleep(0.1)
        began = now()
        await play.supervisor.stop("a", drain=0)
        assert now() - began < 0.3
        assert play.state(A) == "stopped"


async def test_the_standby_model_comes_back_when_the_others_have_gone() -> None:
    async with kept(Models(standby="c"), ttl=20.0, max_models=1) as (play, _):
        await play.supervisor.wait("c", {"ready"}, 10)
        client = play.ask(A)
        await anyio.sleep(100)
        assert play.engine.running == ["a"]
        client.release()
        await anyio.sleep(19)
        assert play.engine.running == ["a"]
        await anyio.sleep(35)
        assert play.state(A) == "stopped"
        assert "c" in play.engine.launches[2:]


async def test_or_when_they_have_been_idle_for_a_while() -> None:
    async with kept(Models(standby="c"), max_models=1) as (play, _):
        await play.supervisor.wait("c", {"ready"}, 10)
        await play.supervisor.start(A)
        used = now()
        await play.supervisor.wait("c", {"ready"}, 200)
        assert REST <= now() - used < REST + 35
        assert play.engine.running == ["c"]


async def test_the_standby_model_may_be_stopped() -> None:
    async with kept(Models(standby="c")) as (play, _):
        await play.supervisor.wait("c", {"ready"}, 10)
        await play.supervisor.stop("c", drain=0)
        await anyio.sleep(1000)
        assert play.state(C) == "stopped"
