"""Streams, and the answers that they come to. What a real llama-server answers is compared in `e2e/test_parity.py`."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.proxy.gather import Unexpected, as_stream, gather
from tests.proxy.test_gathering import LAST, SAID, WHOLE, piece

CHAT = b"/v1/chat/completions"
USAGE = b',"stream":true,"stream_options":{"include_usage":true}'


def gathered(path: bytes, stream: bytes, size: int = 1 << 20) -> Any:
    answer = gather(path)
    for at in range(0, len(stream), size):
        answer.feed(stream[at : at + size])
    body = answer.body()
    return None if body is None else json.loads(body)


def events(*data: object) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in data)


@pytest.mark.parametrize(
    ("body", "streamed"),
    [
        (b'{"a":1}', b'{"a":1%b}' % USAGE),
        (b' {"a":{}}\n', b' {"a":{}%b}\n' % USAGE),
        (b"{ }", b"{ %b}" % USAGE[1:]),
        (b'{"stream":false,"a":1}', b'{"stream":true,"a":1,"stream_options":{"include_usage":true}}'),
        (b'{"stream_options":null}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (b'{"stream":true}', None),
        (b"[1]", None),
        (b"{", None),
    ],
)
def test_the_body_that_asks_for_a_stream(body: bytes, streamed: bytes | None) -> None:
    assert as_stream(CHAT, body) == streamed


@given(st.integers(1, 40))
def test_cut_anywhere(size: int) -> None:
    assert gathered(CHAT, b": ping\n\n" + SAID + LAST, size) == json.loads(WHOLE)


def test_several_choices_and_calls() -> None:
    def of(index: int, delta: Any, finish: Any = None, **more: Any) -> Any:
        about = {"created": 1, "id": "c", "model": "m", "object": "chat.completion.chunk"}
        return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}], **about, **more}

    first = {"index": 0, "id": "x", "type": "function", "function": {"name": "add", "arguments": ""}}
    usage = {**of(0, {}), "choices": []}
    answer = gathered(
        CHAT,
        events(
            None,
            of(1, {"content": "b"}),
            of(0, {"reasoning_content": "hm"}),
            of(0, {"tool_calls": [first]}),
            of(1, {}, "stop"),
            {**usage, "usage": {"completion_tokens": 1}, "timings": {"n": 1}},
            of(0, {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]}),
            of(0, {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
            of(0, {}, "tool_calls"),
            {**usage, "usage": {"completion_tokens": 9}, "timings": {"n": 9}},
        ),
    )
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a":1}'}, "id": "x"}
    message = {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [call]}
    assert answer["choices"] == [
        {"finish_reason": "tool_calls", "index": 0, "message": message},
        {"finish_reason": "stop", "index": 1, "message": {"role": "assistant", "content": "b"}},
    ]
    assert (answer["usage"], answer["timings"]) == ({"completion_tokens": 9}, {"n": 9}), "of the first choice"


def test_native_answers_keep_what_the_last_event_says() -> None:
    def end(index: int) -> Any:
        return {"index": index, "content": "", "stop": True, "generation_settings": {"a": 1, "stream": True}, "z": 1}

    half = {"index": 1, "content": "x", "stop": False, "completion_probabilities": [{"id": 1}]}
    other = {"index": 0, "content": "y", "stop": False}
    assert gathered(b"/completion", events(half, half, other, end(0))) is None, "the other has not ended"
    [first, second] = gathered(b"/completion", events(half, half, other, end(0), end(1)))
    assert [*first] == ["index", "content", "stop", "generation_settings", "z"]
    assert first["generation_settings"] == {"a": 1, "stream": False}
    assert (first["content"], second["content"]) == ("y", "xx")
    assert second["completion_probabilities"] == [{"id": 1}, {"id": 1}]


def test_messages() -> None:
    usage = {"cache_read_input_tokens": 3, "input_tokens": 1, "output_tokens": 0}
    message: dict[str, Any] = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "a"}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    tool = {"type": "tool_use", "id": "t", "name": "add"}
    told = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": ""}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    ]
    assert gathered(b"/v1/messages", events(*told)) is None
    answer = gathered(b"/v1/messages", events(*told, {"type": "message_stop"}))
    assert [*answer] == [*message]
    assert answer["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {**tool, "input": {"a": 1}},
    ]
    assert (answer["stop_reason"], answer["usage"]) == ("tool_use", {**usage, "output_tokens": 7})


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (CHAT, piece('{"refusal":"x"}')),
        (CHAT, b"data: nonsense\n\n"),
        (b"/v1/completions", events({"choices": []})),
        (b"/completion", events({"content": 1})),
        (b"/v1/messages", events({"type": "content_block_delta", "index": 0})),
        (b"/v1/messages", events({"type": "unheard_of"})),
    ],
)
def test_what_nothing_is_known_of(path: bytes, data: bytes) -> None:
    with pytest.raises(Unexpected):
        gather(path).feed(data)
