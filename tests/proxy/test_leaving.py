"""The door is cleared, for a daemon that is about to go on as another program."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from llamactl.core.access import Caller, Key
from llamactl.core.errors import Unauthorized
from llamactl.proxy import leaving
from llamactl.proxy.access import Gate
from llamactl.proxy.leaving import clear
from llamactl.proxy.origins import Origins
from tests.proxy.asking import ask, asked, get, post
from tests.proxy.front import opened, until
from tests.proxy.upstreams import EVENTS, HANG, SWITCH, always, chunk, chunked_head, event, in_turn, sized

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


async def test_who_is_slow_to_say_what_he_wants_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are served meanwhile; not awaited is who has been answered and keeps the connection."""
    monkeypatch.setattr(leaving, "HELD", 0.02)
    async with opened(tmp_path) as front:
        slow, halfway, kept = [await front.client() for _ in range(3)]
        kept.send(ask())
        await kept.answer()
        halfway.send(ask()[:-1])
        clearing = asyncio.ensure_future(clear(front.door, 1000.0))
        for _ in range(2):
            await until(lambda: not front.door._servers)
            await until(lambda: front.door._servers)
            assert (await front.ask(ask())).body == asked()
        assert not clearing.done()
        halfway.send(ask()[-1:])
        assert (await halfway.answer()).body == asked()
        slow.send(ask())
        assert (await slow.answer()).body == asked()
        await clearing


async def test_who_waits_for_an_answer_of_our_own_is_told_to_ask_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.web.play = always(HANG)
        client = await front.client()
        client.send(post(b"{}", path=b"/rpc"))
        await until(lambda: front.web.requests)
        await clear(front.door, 1000.0)
        answer = await client.answer()
        assert answer.status == 503 and answer.header(b"retry-after") == b"1"


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


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Whose tokens are all of one subject, and differ only in when they end."""

    def verify(self, text: str) -> Caller:
        return Caller("jwt:me", "me", "control", until=1010.0 if text == "t.t.gone" else 2000.0)


def gate_for(keys: list[Key], clock: Clock) -> Gate:
    """`x` is the name that requests here have for us."""
    gate = Gate(clock)
    gate.configure(anonymous="auto", rate=0.0, tokens=Issuer(), origins=Origins(listeners=("x:80",)))
    gate.admit(keys)
    return gate


def revoked(gate: Gate, keys: list[Key]) -> Callable[[Caller], Unauthorized | None]:
    """Those that are there no more, when it is these that are."""
    ended = gate.admit(keys)
    return lambda caller: ended.get(caller.key)


@pytest.mark.parametrize(
    "what", ["the key gone was revoked", "the key gone has expired", "the token of me has expired"]
)
async def test_what_a_key_has_under_way_ends_with_it(tmp_path: Path, what: str) -> None:
    """In the words of each API. What ends by itself, as the answer to who takes back their own key, does."""
    expires = {"gone": 1010.0, "stay": 2000.0}
    digest = sha256(b"0" * 16).hexdigest()
    keys = [Key(id=id, name=id, digest=digest, scopes=("control",), expires=expires[id]) for id in expires]
    clock, why = Clock(), what.encode()
    gate = gate_for(keys, clock)

    def shown(id: str) -> bytes:
        key, token = f"x-api-key: llk_{id}_{'0' * 16}", f"Authorization: Bearer t.t.{id}"
        return (token if "token" in what else key).encode()

    def streamed(id: str, path: bytes = b"/v1/chat/completions", body: bytes = b'{"model":"a","stream":true}') -> bytes:
        return post(body, shown(id), path=path)

    async with opened(tmp_path, gate=gate) as front:
        end = asyncio.Event()
        begun = (chunked_head(EVENTS), chunk(event("begun")), end)
        front.upstream.play = front.web.play = always(*begun, b"0\r\n\r\n")
        asking = {
            "openai": streamed("gone"),
            "anthropic": streamed("gone", b"/v1/messages"),
            "watcher": get(b"/api/events", shown("gone")),
            "stays": streamed("stay"),
        }
        clients = {name: await front.client() for name in asking}
        for name, client in clients.items():
            client.send(asking[name])
            await client.until(b"begun\n\n\r\n")
        front.leases.loading["b"] = asyncio.Event()
        waiting, gathered, ours = await front.client(), await front.client(), await front.client()
        waiting.send(streamed("gone", body=b'{"model":"b"}'))
        gathered.send(streamed("gone", body=b'{"model":"a"}'))
        front.upstream.play = front.web.play = always(end, sized(b"done"))
        ours.send(get(b"/api/models", shown("gone"), method=b"DELETE"))
        await front.settled()

        leaving.dismiss(front.door, gate.expired, guests=False)
        assert not any(connection.closing for connection in front.door.connections), "not yet"
        clock.now = 1010.0
        ended = revoked(gate, keys[1:]) if "revoked" in what else gate.expired
        leaving.dismiss(front.door, ended, guests=False)
        for name in ("openai", "anthropic", "watcher"):
            rest = await clients[name].rest()
            assert why in rest and not rest.endswith(b"0\r\n\r\n") and b"[DONE]" not in rest
            assert (b"event: error\ndata: " in rest) == (name == "anthropic")
        for refused in (await waiting.answer(), await gathered.answer()):
            assert refused.status == 401 and why in refused.body
        end.set()
        await clients["stays"].until(b"0\r\n\r\n")
        assert (await ours.answer()).body == b"done"


async def test_who_is_at_a_websocket_of_ours_is_told_before(tmp_path: Path) -> None:
    keys = [Key(id="gone", name="gone", digest=sha256(b"0" * 16).hexdigest(), scopes=("observe",))]
    gate = gate_for(keys, Clock())
    async with opened(tmp_path, gate=gate) as front:
        front.web.play = front.upstream.play = always(SWITCH, b"hello", HANG)
        shown = f"x-api-key: llk_gone_{'0' * 16}".encode()
        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", shown)
        ours, models = await front.client(), await front.client()
        ours.send(get(b"/llamaproxws", *upgrade))
        models.send(get(b"/upstream/a/ws", *upgrade))
        await ours.until(b"hello")
        await models.until(b"hello")
        why = revoked(gate, [])
        leaving.dismiss(front.door, why, guests=False)
        assert await models.rest() == b""
        front.web.visits[-1].writer.write(b"farewell")
        await ours.until(b"farewell")
        leaving.dismiss(front.door, why, guests=True)
        assert await ours.rest() == b""
