"""What answers say of themselves: those of a real llama-server (`answers/`), whole, cut and broken."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.requests import Usage
from llamactl.proxy import usage

ANSWERS = {path.name: path.read_bytes() for path in (Path(__file__).parent / "answers").iterdir()}

SAID = {
    "chat.json": (32, 0, 8, 51.3197, 40.3136, "length"),
    "chat.sse": (32, 31, 8, 10.4555, 32.1814, "length"),
    "chat_usage.sse": (32, 31, 8, 28.3495, 55.5803, "length"),
    "chat_timings.sse": (32, 31, 8, 32.3939, 35.6416, "length"),
    "completion.json": (2, 0, 4, 46.2899, 47.39, "limit"),
    "completion.sse": (2, 1, 4, 67.6453, 53.8612, "limit"),
    "completions.json": (2, 1, 4, 66.8405, 92.9843, "length"),
    "completions.sse": (2, 1, 4, 61.3723, 23.9478, "length"),
    "messages.json": (32, 31, 8, None, None, "max_tokens"),
    "messages.sse": (32, 31, 8, None, None, "max_tokens"),
    "responses.json": (32, 31, 8, None, None, "completed"),
    "responses.sse": (32, 31, 8, 32.7815, 52.7197, "completed"),
}


def read(body: bytes, name: str) -> Usage:
    return usage.read(body[: usage.START], body[-usage.TAIL :], events=name.endswith(".sse"))


def figures(found: Usage) -> tuple[Any, ...]:
    rates = (None if rate is None else round(rate, 4) for rate in (found.prompt_rate, found.generation_rate))
    return found.prompt_tokens, found.cached_tokens, found.generated_tokens, *rates, found.finish


def test_every_answer_is_expected() -> None:
    assert SAID.keys() == ANSWERS.keys()


@pytest.mark.parametrize("name", SAID)
def test_the_real_ones(name: str) -> None:
    assert figures(read(ANSWERS[name], name)) == SAID[name]


@pytest.mark.parametrize("name", [name for name in SAID if name.endswith(".sse")])
def test_in_chunks_as_they_come(name: str) -> None:
    events = [event + b"\n\n" for event in ANSWERS[name].split(b"\n\n") if event]
    body = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"
    assert figures(read(body, name)) == SAID[name]


LONG = b'a long answer with \\"usage\\":{\\"prompt_tokens\\":7} in it ' * 4000


@pytest.mark.parametrize(
    ("name", "said"),
    [("chat.json", b"I'm glad"), ("completion.json", b" the clock"), ("messages.json", b"I'm glad")],
)
def test_long_ones_of_which_only_both_ends_are_there(name: str, said: bytes) -> None:
    body = ANSWERS[name].replace(said, LONG, 1)
    assert len(body) > 2 * usage.TAIL
    assert figures(read(body, name)) == SAID[name]


def test_the_length_of_the_prompt_of_a_long_stream_of_messages() -> None:
    first, *others = ANSWERS["messages.sse"].split(b"event: content_block_delta")
    body = first + b"event: content_block_delta".join([b"", *others[:-1] * 300, others[-1]])
    assert len(body) > 2 * usage.TAIL
    assert figures(read(body, ".sse")) == SAID["messages.sse"]


def test_a_long_response_at_the_end_of_a_stream() -> None:
    """Its last event holds all of it: more than is at hand."""
    body = ANSWERS["responses.sse"].replace(b"I'm so glad you're here.", LONG)
    found = read(body, ".sse")
    assert (found.prompt_tokens, found.cached_tokens, found.generated_tokens) == (32, 31, 8)


def test_embeddings_say_it_before_the_numbers() -> None:
    numbers = b",".join([b"0.123456"] * 20_000)
    body = (
        b'{"model":"m","object":"list","usage":{"prompt_tokens":5,"total_tokens":5},'
        b'"data":[{"embedding":[%b],"index":0,"object":"embedding"}]}' % numbers
    )
    assert len(body) > 2 * usage.TAIL
    assert read(body, ".json").prompt_tokens == 5
    assert read(body[:300], ".json").prompt_tokens == 5
    rerank = b'{"model":"m","object":"list","usage":{"prompt_tokens":9,"total_tokens":9},"results":[{"index":0}]}'
    assert read(rerank, ".json") == Usage(prompt_tokens=9)


def test_several_prompts_at_once_are_summed_up() -> None:
    one = ANSWERS["completion.json"]
    found = read(b"[" + one + b"," + one + b"]", ".json")
    assert figures(found) == (4, 0, 8, None, None, "limit")
    assert read(b'[{"index":0,"embedding":[[0.1,0.2]]}]', ".json") == Usage()
    assert read(b"[]", ".json") == Usage()


def test_drafts() -> None:
    timings = b'"timings":{"prompt_n":1,"predicted_n":9,"draft_n":8,"draft_n_accepted":6}'
    found = read(b'data: {"choices":[],%b}\n\ndata: [DONE]\n\n' % timings, ".sse")
    assert (found.draft_tokens, found.accepted_tokens, found.generated_tokens) == (8, 6, 9)


def test_a_tool_called_usage_is_not_believed() -> None:
    body = ANSWERS["messages.json"].replace(
        b'"content":[', b'"content":[{"type":"tool_use","input":{"usage":{"input_tokens":1,"output_tokens":1}}},'
    )
    assert figures(read(body, ".json")) == SAID["messages.json"]
    assert figures(usage.read(body[:20], body[20:], events=False))[:3] == (32, 31, 8)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"<html>",
        b'{"usage":7}',
        b'{"usage":{"prompt_tokens":"many"}}',
        b'{"choices":"none"}',
        b'{"error":{"code":503,"message":"Loading model"}}',
        b'{"tokens":[1,2]}',
        b'{"message":"text","response":"text","delta":"text"}',
        b"\xff\xfe",
        b"[" * 5000,
        b"data: {",
        b"data: [DONE]",
    ],
)
def test_what_says_nothing(body: bytes) -> None:
    assert read(body, ".json") == read(body, ".sse") == Usage()


@given(st.sampled_from(sorted(SAID)), st.data())
def test_wherever_it_is_cut_it_says_no_more_than_what_is_true(name: str, data: st.DataObject) -> None:
    body = ANSWERS[name]
    end = data.draw(st.integers(0, len(body)))
    start = data.draw(st.integers(0, end))
    found = figures(usage.read(body[:start][: usage.START], body[start:end], events=name.endswith(".sse")))
    truth = SAID[name]
    for position in (0, 1, 3, 5):  # the prompt and why it ended: what does not change while it is made
        assert found[position] in (truth[position], None, ""), (position, found)
    assert found[2] is None or found[2] <= truth[2]


@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_anything_can_be_read(start: bytes, tail: bytes, events: bool) -> None:
    assert isinstance(usage.read(start, tail, events=events), Usage)


@given(
    st.dictionaries(
        st.sampled_from(["usage", "timings", "choices", "message", "response", "delta", "status", "object"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["usage", "prompt_tokens", "input_tokens", "cache_n", "prompt_n"]), inner
                )
            ),
            max_leaves=6,
        ),
    )
)
def test_objects_of_any_shape(value: dict[str, Any]) -> None:
    body = msgspec.json.encode(value)
    for events in (False, True):
        assert isinstance(usage.read(body, b"data: " + body if events else body, events=events), Usage)
