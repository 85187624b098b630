"""A valid conversation cut into pieces gives the same answers, wherever it is cut."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import anyio.lowlevel
import pytest

from llamactl.proxy import answer, request
from tests.proxy.stage import Stage
from tests.proxy.upstreams import (
    CLOSE,
    EARLY_HINTS,
    ECHO,
    EVENTS,
    SWITCH,
    Step,
    chunk,
    chunked,
    chunked_head,
    echo,
    event,
    sized,
    until_close,
)
from tests.proxy.wire import ID_LINE, Sent, answers, take_answer

pytestmark = pytest.mark.anyio

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def post(body: bytes, *lines: bytes, path: bytes = b"/v1/embeddings", spelt: bytes = b"Content-Length: ") -> bytes:
    head = (
        b"POST %b HTTP/1.1" % path,
        b"Host: x",
        b"Content-Type: application/json",
        *lines,
        spelt + b"%d" % len(body),
    )
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def get(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([b"%b %b HTTP/1.1" % (method, target), b"Host: x", *lines]) + b"\r\n\r\n"


NAMED = b'{"model":"a","n":%d}'
CHUNKS = b"8;x=y\r\n" + b'{"model"' + b'\r\n5\r\n:"a"}\r\n0\r\nX-Trailer: z\r\n\r\n'
CONVERSATION = b"".join(
    [
        post(NAMED % 1),
        post(NAMED % 22, spelt=b"content-length:"),
        get(b"/sized"),
        get(b"/head", method=b"HEAD"),
        post(NAMED % 3, b"Expect: 100-continue"),
        get(b"/chunked", b"Connection: keep-alive"),
        b"POST /rerank HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        get(b"/304"),
        b"\r\n",
        post(b'{"model":"a","large":"' + b"x" * 120 + b'"}', path=b"/embeddings"),
        get(b"/hints"),
        post(b'{"x":1}', b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM", path=b"/h2c"),
        get(b"/204"),
        post(NAMED % 4),
    ]
)
METHODS = (
    b"POST",
    b"POST",
    b"GET",
    b"HEAD",
    b"POST",
    b"GET",
    b"POST",
    b"GET",
    b"POST",
    b"GET",
    b"POST",
    b"GET",
    b"POST",
)
LAST = {
    "until it closes": get(b"/until-close"),
    "as it asked": get(b"/sized", b"Connection: close"),
    "in HTTP/1.0": b"GET /chunked HTTP/1.0\r\n\r\n",
    "in another protocol": get(b"/upgrade", b"Connection: upgrade", b"Upgrade: websocket")
    + b"early\r\n\r\nGET /x HTTP/1.1",
    "with a fault": b"GET / HTTP/1.1\r\nno header\r\n\r\n",
    "with a body too large": b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\nx",
}
STREAM = chunked_head(EVENTS) + b"".join(chunk(event(f'{{"token":{i}}}')) for i in range(3)) + b"0\r\n\r\n"


def play(request: Sent) -> Iterable[Step]:
    match request.target:
        case b"/chunked":
            return [chunked(b"one", b"two\r\n" * 4)]
        case b"/304":
            return [b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 10\r\n\r\n"]
        case b"/204":
            return [b"HTTP/1.1 204 No Content\r\n\r\n"]
        case b"/hints":
            return [EARLY_HINTS + sized(b"hinted", "200 OK", "Server: x")]
        case b"/until-close":
            return until_close(b"all there is")
        case b"/upgrade":
            return [SWITCH + b"welcome", ECHO]
        case b"/rerank":
            return [STREAM]
        case b"/v1/embeddings":
            return [b"HTTP/1.1 200 OK\r\ncontent-length:%d\r\n\r\n" % len(request.body) + request.body, CLOSE]
        case b"/head":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"]
    return echo(request)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a short conversation takes every way."""
    monkeypatch.setattr(request, "LARGE", 100)


@pytest.fixture
def anyio_backend() -> str:
    """No socket, no loop to speak of."""
    return "asyncio"


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise(sorted({0, len(data), *places}))]


class Talk:
    """A conversation, and what comes of it when nothing is cut."""

    def __init__(self, data: bytes, methods: Iterable[bytes] = METHODS) -> None:
        self.data = data
        stage = Stage(play)
        answered = stage.send([data]).replace(CONTINUE, b"")
        self.answered = len(answered)
        self._borders = {0}
        for method in methods:
            if taken := take_answer(answered, method):
                answered = taken[1]
                self._borders.add(self.answered - len(answered))
        self.expected = self._outcome(stage)

    def cut(self, places: Iterable[int] = (), answer_places: Iterable[int] = (), *, cold: bool = False) -> None:
        if cold:
            request._heads.clear()
            answer._answers.clear()
            answer._whole.clear()
        stage = Stage(play, answer_places)
        stage.send(cut(self.data, places))
        assert self._outcome(stage) == self.expected

    def _outcome(self, stage: Stage) -> tuple[bytes, list[bytes], bool, list[int]]:
        """Whether somebody is told to go on depends on how much has come; if so, then between two answers."""
        sent = bytes(stage.client.sent)
        done = 0
        for told in sent.split(CONTINUE)[:-1]:
            done += len(told)
            assert done in self._borders
        released = [lease.released for lease in stage.leases.granted]
        return sent.replace(CONTINUE, b""), stage.received, stage.client.closing, released


def sample(count: int, *lengths: int) -> Iterator[tuple[list[int], ...]]:
    """That many times, some places for each of the lengths: often few, sometimes nearly all."""
    chance = random.Random(count)
    for _ in range(count):
        yield tuple(
            [place for place in range(length) if chance.random() < share]
            for length in lengths
            for share in [chance.choice([0.002, 0.01, 0.1, 0.5])]
        )


async def test_the_conversation_is_what_it_should_be() -> None:
    stage = Stage(play)
    found = answers(stage.send([CONVERSATION]), *METHODS)
    assert [each.status for each in found] == [200] * 7 + [304] + [200] * 3 + [204, 200]
    bodies = [NAMED % 1, NAMED % 22, b"/sized", b"", NAMED % 3, b"onetwo\r\ntwo\r\ntwo\r\ntwo\r\n"]
    assert [each.body for each in found[:6]] == bodies
    assert found[6].body == b"".join(event(f'{{"token":{i}}}') for i in range(3))
    assert [len(each.body) for each in found[7:]] == [0, 144, 6, 7, 0, 19]
    assert len(stage.received) == len(found)
    assert [lease.released for lease in stage.leases.granted] == [1] * 6
    assert not stage.client.closing
    assert len(CONVERSATION) < 1700


@pytest.mark.parametrize("end", LAST)
async def test_the_last_words_are_what_they_should_be(end: str) -> None:
    stage = Stage(play)
    sent = stage.send([LAST[end]])
    assert stage.client.closing == (end != "in another protocol")
    match end:
        case "until it closes":
            assert answers(sent, b"GET")[0].body == b"all there is"
        case "as it asked":
            assert answers(sent, b"GET")[0].header(b"connection") == b"close"
        case "in HTTP/1.0":
            assert answers(sent, b"GET")[0].body == b"onetwo\r\ntwo\r\ntwo\r\ntwo\r\n"
            assert answers(sent, b"GET")[0].header(b"connection") == b"close"
        case "in another protocol":
            assert sent.startswith(b"HTTP/1.1 101 ")
            assert sent.endswith(b"\r\n\r\nwelcomeearly\r\n\r\nGET /x HTTP/1.1")
        case "with a fault":
            assert answers(sent, b"GET")[0].status == 400
        case "with a body too large":
            assert answers(sent, b"GET")[0].status == 413


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
async def test_every_place_in_the_conversation(cold: bool) -> None:
    """`warm`: every head has been seen before."""
    talk = Talk(CONVERSATION)
    for place in range(len(talk.data)):
        talk.cut([place], cold=cold)


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
async def test_every_place_in_the_answers(cold: bool) -> None:
    talk = Talk(CONVERSATION)
    for place in range(talk.answered + len(EARLY_HINTS)):
        talk.cut([], [place], cold=cold)


@pytest.mark.parametrize("end", LAST)
async def test_every_place_in_the_last_words(end: str) -> None:
    talk = Talk(post(NAMED % 1) + LAST[end], [b"POST"])
    for place in range(len(talk.data)):
        talk.cut([place], cold=True)
        talk.cut([place], [place])
    for place in range(talk.answered):
        talk.cut([], [place], cold=True)


@pytest.mark.parametrize("end", [None, *LAST])
async def test_byte_by_byte(end: str | None) -> None:
    talk = Talk(CONVERSATION + (LAST[end] if end else b""))
    for cold in (True, False):
        talk.cut(range(len(talk.data)), cold=cold)
        talk.cut([], range(talk.answered + 1000), cold=cold)
        talk.cut(range(len(talk.data)), range(talk.answered + 1000), cold=cold)


async def test_a_thousand_random_cuts() -> None:
    talks = [Talk(CONVERSATION + last) for last in (b"", *LAST.values())]
    for number, (places, answer_places) in enumerate(sample(1000, len(CONVERSATION) + 100, len(CONVERSATION) + 1000)):
        talks[number % len(talks)].cut(places, answer_places, cold=number % 2 == 0)


async def test_large_bodies_at_random_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """At their real size, one after the other, and small ones between them."""
    monkeypatch.undo()
    large = b'{"model":"a","text":"' + b"y" * request.LARGE + b'"}'
    data = [post(large), get(b"/sized"), post(large, b"Expect: 100-continue"), post(NAMED % 1), post(large)]
    talk = Talk(b"".join(data), [b"POST"] * 5)
    for (places,) in sample(15, 20):
        chance = random.Random(len(places))
        talk.cut([chance.randrange(len(talk.data)) for _ in places], [chance.randrange(talk.answered) for _ in places])


def dying(data: bytes) -> Callable[[Sent], list[Step]]:
    return lambda _: [data, CLOSE]


async def after_mourning(stage: Stage) -> bytes:
    """What the client has been sent when it has been asked what its llama-server died of."""
    for _ in range(4):
        await anyio.lowlevel.checkpoint()
    return bytes(stage.client.sent)


async def test_a_stream_that_is_cut_off() -> None:
    """Wherever it ends: the client gets what there was, an error if one can be told, and no end."""
    ask = post(b'{"model":"a"}')
    borders = {STREAM.index(b"\r\n\r\n") + 4 + i * len(chunk(event('{"token":0}'))) for i in range(4)}
    for place in range(1, len(STREAM) - 5):
        for cuts in (range(0), range(place - 1, place), range(place)):
            stage = Stage(dying(STREAM[:place]), cuts)
            stage.send([ask])
            sent = (await after_mourning(stage)).replace(ID_LINE, b"")
            assert [lease.released for lease in stage.leases.granted] == [1]
            if place < min(borders):
                assert answers(sent, b"POST")[0].status == 502
                continue
            assert stage.client.closing
            assert sent.startswith(STREAM[:place])
            assert not sent.endswith(b"0\r\n\r\n")
            told = sent[place:]
            assert bool(told) == (place in borders)
            if told:
                assert b'data: {"error":' in told
                assert told.count(b"data:") == 1
                assert answers(sent + b"0\r\n\r\n", b"POST"), "it is a chunk of its own"


async def test_a_sized_answer_that_is_cut_off() -> None:
    whole = sized(b"0123456789")
    for place in range(len(whole)):
        for cuts in (range(0), range(place)):
            stage = Stage(dying(whole[:place]), cuts)
            stage.send([post(b'{"model":"a"}')])
            sent = (await after_mourning(stage)).replace(ID_LINE, b"")
            assert [lease.released for lease in stage.leases.granted] == [1]
            if place < whole.index(b"0123"):
                assert answers(sent, b"POST")[0].status == 502
            else:
                assert sent == whole[:place]
                assert stage.client.closing
