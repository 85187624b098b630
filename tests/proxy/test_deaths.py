"""A llama-server that is gone before it has answered: asked again, once, if it died."""

import json
from pathlib import Path

import pytest

from llamactl.core.errors import LoadFailed
from llamactl.core.instance import Exit
from tests.proxy.asking import ask, post
from tests.proxy.front import opened
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
