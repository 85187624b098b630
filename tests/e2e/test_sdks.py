"""The SDKs of OpenAI and Anthropic against the port: whole answers, and none that is only half of one."""

import json
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, together, until
from tests.engines.client import ask

HELLO = "hello"
USER: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": HELLO}]
PERSON: list[anthropic.types.MessageParam] = [{"role": "user", "content": HELLO}]
LONG = 100_000
LEFT = 0.1
"""Seconds, the median of ten."""
SURE = {"temperature": 0, "seed": 1}


@pytest.fixture
def daemon(begin: Begin, real_engine: str, home: Home, tiny: Path) -> Daemon:
    daemon = begin(
        llama_server_path="",
        llama_server_ctx_size="65536",
        llama_server_n_parallel="2",
        llama_server_skip_chat_parsing="true",
        llama_server_threads="1",
        restart_first="20ms",
        restart_crashes="20",
    )
    home.run("models", "add", str(tiny), "--name", "tiny")
    return daemon


@pytest.fixture
def gpt(daemon: Daemon) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{daemon.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(daemon: Daemon) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=daemon.url, api_key="none", max_retries=0) as client:
        yield client


def kill(home: Home) -> None:
    for process in home.processes("llama-server"):
        process.send_signal(signal.SIGKILL)


def test_openai(home: Home, gpt: openai.OpenAI) -> None:
    whole = gpt.chat.completions.create(model="tiny", messages=USER, max_tokens=8, temperature=0, seed=1)
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 8
    with gpt.chat.completions.create(
        model="tiny", messages=USER, max_tokens=8, temperature=0, seed=1, stream=True
    ) as stream:
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert gpt.responses.create(model="tiny", input=HELLO, max_output_tokens=8).output_text
    with pytest.raises(openai.NotFoundError):
        gpt.chat.completions.create(model="nobody", messages=USER)

    with (
        pytest.raises(openai.APIError, match="went away"),
        gpt.chat.completions.create(model="tiny", messages=USER, max_tokens=LONG, stream=True) as stream,
    ):
        next(stream)
        kill(home)
        list(stream)
    with (
        pytest.raises(openai.APIError, match="went away"),
        gpt.responses.create(model="tiny", input=HELLO, max_output_tokens=LONG, stream=True) as events,
    ):
        next(events)
        kill(home)
        list(events)


def test_anthropic(home: Home, claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(model="tiny", messages=PERSON, max_tokens=8, extra_body=SURE)
    assert whole.usage.output_tokens == 8
    with claude.messages.stream(model="tiny", messages=PERSON, max_tokens=8, extra_body=SURE) as stream:
        assert stream.get_final_text() == whole.content[0].text  # type: ignore[union-attr]
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="nobody", messages=PERSON, max_tokens=8)
    with (
        pytest.raises(anthropic.APIStatusError, match="went away"),
        claude.messages.stream(model="tiny", messages=PERSON, max_tokens=LONG) as stream,
    ):
        next(iter(stream))
        kill(home)
        stream.get_final_message()


def test_who_is_not_answered_as_a_stream_learns_it_too(home: Home, daemon: Daemon, gpt: openai.OpenAI) -> None:
    """Half an answer had come for it: it is told 502, and of what llama-server died."""

    def both(number: int) -> object:
        if number:
            until(lambda: any(row.leases for row in home.instances()))
            with daemon.stream("tiny", max_tokens=1) as answer:  # by then the other is answered, too
                answer.read()
            kill(home)
            return None
        with pytest.raises(openai.APIStatusError, match="signal: killed by a signal") as raised:
            gpt.chat.completions.create(model="tiny", messages=USER, max_tokens=LONG)
        return raised.value.status_code

    assert together(2, both)[0] == 502


def test_who_leaves_is_noticed_though_another_stream_goes_on(home: Home, daemon: Daemon) -> None:
    """llama-server itself would never notice it of a request that is not streamed."""
    place = urlsplit(daemon.url)

    def leave(streaming: bool) -> float:
        """Seconds until llama-server works for the other one only."""
        body = json.dumps({"model": "tiny", "max_tokens": LONG, "messages": USER, "stream": streaming}).encode()
        with socket.create_connection((place.hostname or "", place.port or 0)) as client:
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            client.sendall(head % len(body) + body)
            until(lambda: _working(endpoint) == 2)
        left = time.monotonic()
        until(lambda: _working(endpoint) == 1)
        return time.monotonic() - left

    with daemon.stream("tiny", max_tokens=LONG) as answer:
        answer.readline()
        endpoint = str(next((home.runtime / "sockets").glob("*.sock")))
        for streaming in (True, False):
            took = [leave(streaming) for _ in range(10)]
            assert statistics.median(took) <= LEFT, took


def _working(endpoint: str) -> int:
    return sum(slot["is_processing"] for slot in ask(endpoint, "/slots").json())
