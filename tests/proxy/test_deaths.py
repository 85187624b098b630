"""A llama-server that is gone before it has answered: asked again, once, if it died."""

import json
from pathlib import Path

import anyio
import pytest

from llamactl.core.errors import LoadFailed
from llamactl.core.instance import Exit
from tests.proxy.asking import ask, post
from tests.proxy.front import FakeLease, opened, until
from tests.proxy.test_door_records import ended
from tests.proxy.upstreams import CLOSE, EARLY_HINTS, EVENTS, Step, always, chunk, chunked_head, in_turn, sized
from tests.proxy.wire import Answer

pytestmark = pytest.mark.anyio

DEAD = Exit("killed by SIGKILL", signal=9, kind="oom_kill")


def message(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["message"])


async def test_a_fresh_process_is_asked_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = in_turn(always(CLOSE), always(sized(b"1")), always(CLOSE))
        front.leases.fates = [DEAD] * 4
        client = await front.client()
        answer = await client.ask(ask())
        assert (answer.status, answer.body) == (200, b"1")
        assert [lease.released for lease in front.leases.granted] == [1, 1]
        answer = await client.ask(ask())
        assert answer.status == 502
        assert "oom_kill: killed by the kernel for lack of memory (killed by SIGKILL)" in message(answer)
        assert len(front.leases.granted) == 4, "two for each request"


@pytest.mark.parametrize(
    "steps", [(EARLY_HINTS, CLOSE), (b"HTTP/1.1 2", CLOSE), (chunked_head(EVENTS), chunk(b"data: {}"), CLOSE)]
)
async def test_who_had_begun_to_answer_is_not_asked_again(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(*steps)
        front.leases.fates = [DEAD]
        answer = await front.ask(post(b'{"model":"a"}', path=b"/v1/chat/completions"))
        assert answer.status == 502
        assert "oom_kill" in message(answer)
        assert len(front.upstream.requests) == 1


async def test_the_fresh_one_does_not_load(tmp_path: Path) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(CLOSE)
        front.leases.fates = [DEAD]
        front.leases.lines = ("error: bad magic",)
        front.leases.on_grant = lambda _: front.leases.failing.update(a=LoadFailed("a could not be loaded"))
        answer = await front.ask(ask())
        assert answer.status == 503
        assert message(answer) == "a could not be loaded; its last lines:\nerror: bad magic"


HALF = (chunked_head(EVENTS), chunk(b'data: {"choices":[]}\n\n'), CLOSE)


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/messages"])
async def test_a_stream_that_breaks_off_says_of_what(tmp_path: Path, path: bytes) -> None:
    async with opened(tmp_path) as front:
        front.upstream.play = always(*HALF)
        front.leases.fates = [DEAD]
        client = await front.client()
        client.send(post(b'{"model":"a","stream":true}', path=path))
        received = await client.rest()
        assert received.count(b"HTTP/1.1") == 1
        last = received.rpartition(b"data: ")[2].split(b"\n")[0]
        assert "oom_kill: killed by the kernel for lack of memory" in json.loads(last)["error"]["message"]
        assert not received.endswith(b"0\r\n\r\n")
        assert [lease.released for lease in front.leases.granted] == [1]
        [one] = await ended(front)
        assert (one.status, one.error) == (200, "upstream_died")


async def test_nobody_is_held_for_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is looked for, the client may leave, and the request may be cancelled."""

    async def fate(self: FakeLease, patience: float) -> None:
        assert patience <= 0.5
        await anyio.sleep_forever()

    monkeypatch.setattr(FakeLease, "fate", fate)
    async with opened(tmp_path) as front:
        front.upstream.play = always(*HALF)
        client = await front.client()
        client.send(post(b'{"model":"a","stream":true}', b"X-Request-Id: this", path=b"/v1/chat/completions"))
        await until(lambda: front.leases.granted and front.leases.granted[0].released)
        assert front.door.cancel("this")
        received = await client.rest()
        assert received.count(b"HTTP/1.1") == 1
        assert b'"code":"cancelled"' in received
        client = await front.client()
        client.send(post(b'{"model":"a","stream":true}', path=b"/v1/chat/completions"))
        await until(lambda: len(front.leases.granted) == 2 and front.leases.granted[1].released)
        client.leave()
        assert [one.error for one in await ended(front, 2)] == ["cancelled", "client_left"]
        await until(lambda: not front.door.connections)
