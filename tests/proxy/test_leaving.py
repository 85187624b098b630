"""The door is cleared, for a daemon that is about to go on as another program."""

import asyncio
from pathlib import Path

import pytest

from llamactl.proxy import leaving
from llamactl.proxy.leaving import clear
from tests.proxy.asking import ask, asked, get
from tests.proxy.front import opened, until
from tests.proxy.upstreams import HANG, always, chunk, chunked_head, in_turn, sized

pytestmark = pytest.mark.anyio


async def test_who_comes_while_a_stream_ends_is_served(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        end = asyncio.Event()
        front.upstream.play = in_turn(
            always(chunked_head(), chunk(b"begun"), end, b"0\r\n\r\n"), always(sized(b"new")), always(sized(b"late"))
        )
        streaming, silent = await front.client(), await front.client()
        streaming.send(ask())
        await streaming.until(b"begun\r\n")
        clearing = asyncio.ensure_future(clear(front.door, 1000.0))
        await front.settled()
        assert (await front.ask(ask())).body == b"new"
        assert not clearing.done()
        end.set()
        assert (await streaming.rest()).endswith(b"0\r\n\r\n")
        await until(lambda: not front.door._servers)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not clearing.done()
        silent.send(ask())  # it came before the door was shut, and has not said yet what it wants
        assert (await silent.answer()).body == b"late"
        await clearing

        outside = await front.client()
        outside.send(get(b"/open"))
        await front.settled()
        assert not front.web.requests
        await front.door.open()
        assert (await outside.answer()).body == b"/open"


async def test_nobody_waits_outside_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has begun something long while others were awaited is awaited as well, with the door open."""
    monkeypatch.setattr(leaving, "HELD", 0.05)
    async with opened(tmp_path) as front:
        first, second = asyncio.Event(), asyncio.Event()
        front.upstream.play = in_turn(
            *[always(chunked_head(), chunk(b"begun"), end, b"0\r\n\r\n") for end in (first, second)],
            always(sized(b"new")),
        )
        one, two = await front.client(), await front.client()
        one.send(ask())
        await one.until(b"begun\r\n")
        clearing = asyncio.ensure_future(clear(front.door, 1000.0))
        await front.settled()
        two.send(ask())
        await two.until(b"begun\r\n")
        first.set()
        await one.rest()
        assert (await front.ask(ask())).body == b"new", "let in once more"
        assert not clearing.done()
        second.set()
        assert (await two.rest()).endswith(b"0\r\n\r\n")
        await clearing


async def test_one_who_waits_for_a_model_is_awaited(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.leases.loading["a"] = loaded = asyncio.Event()
        client = await front.client()
        client.send(ask())
        await until(lambda: front.leases.waiting)
        clearing = asyncio.ensure_future(clear(front.door, 1000.0))
        await front.settled()
        assert not clearing.done()
        loaded.set()
        assert (await client.answer()).body == asked()
        await clearing


async def test_patience_ends(tmp_path: Path) -> None:
    """Nobody is left without a word: who waits for a model, who has no answer yet, who reads one."""
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(chunked_head(), chunk(b"begun"), HANG), always(HANG))
        streaming, unanswered, waiting = [await front.client() for _ in range(3)]
        streaming.send(ask())
        await streaming.until(b"begun\r\n")
        unanswered.send(ask())
        await until(lambda: len(front.leases.out) == 2)
        front.leases.loading["b"] = asyncio.Event()
        waiting.send(ask(model="b"))
        await until(lambda: front.leases.waiting)
        await clear(front.door, 0.01)
        for client in (unanswered, waiting):
            answer = await client.answer()
            assert answer.status == 503
            assert answer.header(b"retry-after") == b"1"
            assert b"could not wait any longer" in answer.body
        rest = await streaming.rest()
        assert not rest.endswith(b"0\r\n\r\n")
        assert not front.leases.out
        assert not front.leases.waiting
        outside = await front.client()
        outside.send(get(b"/open"))
        await front.settled()
        assert not front.web.requests
