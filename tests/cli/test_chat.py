"""`llamactl chat`: the stream of an answer as a client has it."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import msgspec
import pytest

from llamactl.core.errors import NotFound
from llamactl.proxy.dialects import error_body
from tests.cli.conftest import Llamactl
from tests.cli.stub import STATUS, Stub
from tests.cli.web import Handler, Server, serve

DONE = b"data: [DONE]\n\n"

Door = Callable[[Callable[[Handler], None]], AbstractContextManager[Server]]
"""`with door(answer) as server:` – what listens on the port of the daemon."""


def event(**delta: object) -> bytes:
    return b"data: " + json.dumps({"id": "x", "choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.send(200, b"", Content_Length="", Transfer_Encoding="chunked", Content_Type="text/event-stream")
        handler.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end)

    return answer


@pytest.fixture
def door(stub: Stub) -> Door:
    @contextmanager
    def open_door(answer: Callable[[Handler], None]) -> Iterator[Server]:
        with serve(answer) as server:
            stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, http=[server.url])
            yield server

    return open_door


def test_an_answer(door: Door, llamactl: Llamactl) -> None:
    chunks = event(role="assistant", content=None), event(content="A lla"), event(content="ma – 🦙"), event(), DONE
    with door(chunked(*chunks)) as server:
        said = llamactl("chat", "qwen3:8b", "What is it?", "--system", "Be short.", "--max-tokens", "9")
    assert (said.code, said.out, said.err) == (0, "A llama – 🦙\n", "")
    ((method, path, headers, body),) = server.asked
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/chat/completions", "application/json")
    assert json.loads(body) == {
        "model": "qwen3:8b",
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is it?"}],
        "stream": True,
        "max_tokens": 9,
    }


def test_as_json(door: Door, llamactl: Llamactl) -> None:
    with door(chunked(event(content="a"), event(content="b"), DONE)):
        said = llamactl("chat", "m", "hi", "--json")
    assert said.json() == {"schema": "llamactl.chat/v1", "model": "m", "answer": "ab"}


def test_thoughts_are_shown_too(door: Door, llamactl: Llamactl) -> None:
    with door(chunked(event(reasoning_content="hm, "), event(content="yes"), DONE)):
        assert llamactl("chat", "m", "hi").out == "hm, yes\n"


def test_comments_and_other_events_are_passed_over(door: Door, llamactl: Llamactl) -> None:
    noise = b": loading 42 %\n\n", b"event: ping\ndata: x\n\n", b'data: {"choices":[]}\n\n', b"\n\n"
    with door(chunked(*noise, event(content="yes"), b'data: {"usage":{"total_tokens":3}}\n\n', DONE)):
        assert llamactl("chat", "m", "hi").out == "yes\n"


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_chunks_cut_events_anywhere(door: Door, llamactl: Llamactl, size: int) -> None:
    stream = event(content="schön") + event(content=" 🦙") + DONE
    with door(chunked(*(stream[at : at + size] for at in range(0, len(stream), size)))):
        assert llamactl("chat", "m", "hi").out == "schön 🦙\n"


@pytest.mark.parametrize("code", [404, 500, 503])
def test_a_refusal(door: Door, llamactl: Llamactl, code: int) -> None:
    with door(
        lambda handler: handler.send(code, error_body(NotFound("no model is called 'm'", "see models ls"), code))
    ):
        said = llamactl("chat", "m", "hi")
    assert said.code == 4 and said.out == ""
    assert said.err == "llamactl: no model is called 'm' (see models ls)\n"


def test_a_refusal_of_somebody_else(door: Door, llamactl: Llamactl) -> None:
    with door(lambda handler: handler.send(502, b"<html>Bad Gateway</html>")):
        said = llamactl("chat", "m", "hi")
    assert said.code == 7 and "is no llamactl daemon: HTTP 502" in said.err and "<html>" not in said.err


def test_an_error_in_the_stream(door: Door, llamactl: Llamactl) -> None:
    with door(chunked(event(content="half"), b'data: {"error":{"message":"it died","code":"upstream_died"}}\n\n')):
        said = llamactl("chat", "m", "hi")
    assert (said.code, said.out, said.err) == (1, "half", "llamactl: it died\n")


@pytest.mark.parametrize("end", [b"", b"5\r\nda", b"0\r\n\r\n", b"9\r\ndata: {x\n\r\n"])
def test_an_answer_that_breaks_off(door: Door, llamactl: Llamactl, end: bytes) -> None:
    """No [DONE] is no end, whether the connection was cut or not."""
    with door(chunked(event(content="half"), end=end)):
        said = llamactl("chat", "m", "hi")
    assert said.code == 7
    assert "broke off" in said.err and "llamactl logs m" in said.err


def test_nobody_at_the_port(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["daemon.status"] = msgspec.structs.replace(STATUS, http=["http://127.0.0.1:1"])
    said = llamactl("chat", "m", "hi")
    assert said.code == 7 and "no daemon answers at http://127.0.0.1:1" in said.err and "daemon start" in said.err


@pytest.mark.parametrize("prompt", [["-"], []])
def test_a_prompt_from_a_pipe(
    door: Door, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch, prompt: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("many\nlines"))
    with door(chunked(event(content="ok"), DONE)) as server:
        assert llamactl("chat", "m", *prompt).code == 0
    assert json.loads(server.asked[0][3])["messages"][0]["content"] == "many\nlines"


def test_a_conversation(door: Door, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = io.StringIO("first\n\nsecond\n")
    monkeypatch.setattr(typed, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", typed)
    with door(chunked(event(content="ok"), DONE)) as server:
        said = llamactl("chat", "m")
    assert said.code == 0 and "Ctrl-D" in said.err
    assert [message["content"] for message in json.loads(server.asked[1][3])["messages"]] == ["first", "ok", "second"]
