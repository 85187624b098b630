"""What an answer says of itself at its end: tokens, rates, why it ended. (pure)

Of a long answer only its first kilobyte and its last 64 are at hand, so an object may begin before what is read. What
is looked for stands at the end in every API but two: Anthropic's streams say at their beginning how long the prompt
was, and embeddings what they took before they say what they are.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from llamactl.core.requests import Usage

START = 1 << 10
"""Bytes of the beginning of an answer that are looked at."""
TAIL = 64 << 10
"""Bytes of its end."""
EVENTS = 8
"""Events at the end of a stream that may say something of it as a whole: there are two or three. Each has five lines
at the most, those of HTTP chunks counted."""


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    """OpenAI's, that of its newer `responses`, and Anthropic's, whose input is without what was cached."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: int | None = None


class _Timings(msgspec.Struct):
    """llama-server's own; its prompt is without what was cached."""

    cache_n: int | None = None
    prompt_n: int | None = None
    prompt_per_second: float | None = None
    predicted_n: int | None = None
    predicted_per_second: float | None = None
    draft_n: int | None = None
    draft_n_accepted: int | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Part(msgspec.Struct):
    """The `message` that a stream begins with, a `response` that is complete, the `delta` at the end of a message."""

    usage: _Usage | None = None
    status: str | None = None
    stop_reason: str | None = None


class _Answer(msgspec.Struct):
    """A body, or the data of an event."""

    usage: _Usage | None = None
    timings: _Timings | None = None
    choices: list[_Choice] = []
    stop_type: str | None = None
    stop_reason: str | None = None
    object: str | None = None
    status: str | None = None
    message: _Part | str | None = None
    response: _Part | str | None = None
    delta: _Part | str | None = None
    tokens_evaluated: int | None = None
    tokens_predicted: int | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_list = msgspec.json.Decoder(list[_Answer]).decode
_FRAGMENT = re.compile(rb'"(usage|timings)":(\{[^{}]*(?:\{[^{}]*\}[^{}]*)?\})')
"""A quote inside a string is escaped, so this is never a part of what a model has said."""
_REASON = re.compile(rb'"(?:finish_reason|stop_reason|stop_type)":"([^"\\]{1,40})"')


def read(start: bytes, tail: bytes, *, events: bool) -> Usage:
    """Of the first and the last bytes of a body; they overlap if it is short. `events`: it is a stream of events.

    What cannot be understood says nothing. The framing of HTTP chunks between events does no harm.
    """
    if events:
        beginning, end = start.split(b"\n"), tail.split(b"\n")
        return _sum_up([*_events(beginning)[:1], *_fragments(end[0]), *_events(end[-5 * EVENTS :])[-EVENTS:]])
    found = _whole(tail)
    if found is None:
        found = [*_fragments(start), *_fragments(tail)]
    return _total(found) if tail[:1] == b"[" else _sum_up(found)


def _whole(body: bytes) -> list[_Answer] | None:
    """None if it is not whole."""
    try:
        return _decode_list(body) if body[:1] == b"[" else [_decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _fragments(part: bytes) -> Iterator[_Answer]:
    """Of an object that is not whole."""
    reason = _REASON.search(part)
    if reason is not None:
        yield _Answer(stop_reason=reason[1].decode("utf-8", "replace"))
    for fragment in _FRAGMENT.finditer(part):
        yield from _whole(b"{%b}" % fragment[0]) or ()


def _events(lines: list[bytes]) -> list[_Answer]:
    """What is in the data of each."""
    return [answer for line in lines if line.startswith(b"data: {") for answer in _whole(line[6:].rstrip()) or ()]


def _sum_up(answers: list[_Answer]) -> Usage:
    """What comes later counts, but what it does not say stays."""
    said: dict[str, Any] = {}
    for answer in answers:
        for news in _said(answer):
            for name, value in news.items():  # a comprehension takes twice as long
                if value is not None:
                    said[name] = value  # noqa: PERF403
    return Usage(**said)


def _total(answers: list[_Answer]) -> Usage:
    """Of several prompts in one request: there is no rate of them all."""
    each = [_sum_up([answer]) for answer in answers]

    def total(name: str) -> int | None:
        counts = [count for one in each if (count := getattr(one, name)) is not None]
        return sum(counts) if counts else None

    names = ("prompt_tokens", "cached_tokens", "generated_tokens", "draft_tokens", "accepted_tokens")
    return Usage(**{name: total(name) for name in names}, finish=each[-1].finish if each else "")


def _said(answer: _Answer) -> Iterator[dict[str, Any]]:
    """From what is the least exact to what is the most."""
    yield {"prompt_tokens": answer.tokens_evaluated, "generated_tokens": answer.tokens_predicted}
    timings = answer.timings
    if timings is not None:
        yield {
            "prompt_tokens": None if timings.prompt_n is None else timings.prompt_n + (timings.cache_n or 0),
            "cached_tokens": timings.cache_n,
            "generated_tokens": timings.predicted_n,
            "draft_tokens": timings.draft_n,
            "accepted_tokens": timings.draft_n_accepted,
            "prompt_rate": timings.prompt_per_second,
            "generation_rate": timings.predicted_per_second,
        }
    for choice in answer.choices:
        yield {"finish": choice.finish_reason}
    yield {"finish": answer.stop_type}
    yield {"finish": answer.stop_reason}
    if answer.object == "response":
        yield {"finish": answer.status}
    for part in (answer.message, answer.response, answer.delta):
        if isinstance(part, _Part):
            yield {"finish": part.stop_reason or (part.status if part.status != "in_progress" else None)}
            yield _counts(part.usage)
    yield _counts(answer.usage)


def _counts(usage: _Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    cached, prompt = usage.cache_read_input_tokens, usage.input_tokens
    if cached is None:
        details = usage.prompt_tokens_details or usage.input_tokens_details
        cached = None if details is None else details.cached_tokens
    elif prompt is not None:
        prompt += cached
    return {
        "prompt_tokens": prompt if usage.prompt_tokens is None else usage.prompt_tokens,
        "cached_tokens": cached,
        "generated_tokens": usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens,
    }
