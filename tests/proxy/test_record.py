"""What is remembered of a request: its times, its end, what its answer said."""

import pytest

from llamactl.proxy import record as records
from llamactl.proxy import usage
from llamactl.proxy.record import Journal, Record
from tests.proxy.test_usage import ANSWERS

HEADER = Journal.header  # before the tests replace it


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(records, "monotonic", clock)
    return clock


def begun(journal: Journal) -> Record:
    return journal.begin(b"r-1", "chat/completions", "qwen", "127.0.0.1")


def test_from_its_arrival_to_its_end(clock: Clock) -> None:
    journal = Journal()
    record = begun(journal)
    record.key = "ab"
    assert journal.under_way == {record}
    told = record.told(1000.0)
    assert (told.id, told.at, told.state, told.status, told.first) == ("r-1", 1100.0, "waiting", None, None)
    clock.now += 3.0
    assert (record.told(0).queued, record.told(0).duration) == (3.0, 3.0)
    record.leased, record.loading = clock.now, 2.0
    clock.now += 0.5
    assert record.told(0).state == "answering"
    record.answered(200, events=False)
    record.take(ANSWERS["chat.json"])
    clock.now += 0.25
    assert record.told(0).prompt_tokens is None, "what it says is known when it is whole"
    journal.end(record)
    clock.now += 9.0
    assert journal.under_way == set()
    assert journal.take() == [record]
    assert journal.take() == []
    told = record.told(1000.0)
    assert (told.state, told.status, told.error, told.key, told.client) == ("ended", 200, "", "ab", "127.0.0.1")
    assert (told.queued, told.loading, told.first, told.duration) == (1.0, 2.0, 3.5, 3.75)
    assert (told.prompt_tokens, told.generated_tokens, told.finish) == (32, 8, "length")
    assert record.told(1000.0) == told, "it can be told again"


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_in_pieces_it_says_the_same(name: str, size: int) -> None:
    journal = Journal()
    record = begun(journal)
    record.answered(200, events=name.endswith(".sse"))
    body = ANSWERS[name]
    for start in range(0, len(body), size):
        record.take(body[start : start + size])
    journal.end(record)
    expected = usage.read(body[: usage.START], body, events=name.endswith(".sse"))
    told = record.told(0.0)
    assert (told.prompt_tokens, told.cached_tokens) == (expected.prompt_tokens, expected.cached_tokens)
    assert (told.generated_tokens, told.finish) == (expected.generated_tokens, expected.finish)


def test_of_a_long_stream_little_is_held() -> None:
    record = begun(Journal())
    record.answered(200, events=True)
    event = b"data: " + b"x" * 250 + b"\n\n"
    for _ in range(10_000):
        record.take(event)
    assert record._tail is not None
    held = sum(map(len, record._tail)) + len(record._start)
    assert held < records.EVENTS_TAIL + usage.START + len(event)
    record.take(b"data: " + b"y" * 200_000)
    assert len(record._tail) == 1, "the last one is held as a whole"


def test_of_a_long_body_64_kib_are_held() -> None:
    record = begun(Journal())
    record.answered(200, events=False)
    for _ in range(100):
        record.take(b"z" * 10_000)
    assert record._tail is not None
    assert usage.TAIL <= sum(map(len, record._tail)) < usage.TAIL + 10_000


def test_what_is_large_does_not_wait_to_be_taken() -> None:
    journal = Journal()
    record = begun(journal)
    record.answered(200, events=True)
    record.take(ANSWERS["responses.sse"] * 2)
    journal.end(record)
    assert (record._start, record._tail) == (b"", None)
    assert record.told(0.0).generated_tokens == 8


def test_events_are_counted_as_they_come() -> None:
    record = begun(Journal())
    record.answered(200, events=True)
    for event in ANSWERS["chat.sse"].split(b"\n\n"):
        record.take(event + b"\n\n")
    assert record.events == 10, "the role, eight tokens, the end; [DONE] is none"


def test_where_the_answer_has_no_rate_it_is_that_of_the_stream(clock: Clock) -> None:
    journal = Journal()
    record = begun(journal)
    record.answered(200, events=True)
    record.take(ANSWERS["messages.sse"])
    clock.now += 2.0
    journal.end(record)
    assert record.told(0.0).generation_rate == 3.5  # seven after the first, in two seconds


def test_those_that_nobody_takes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal()
    for _ in range(records.ROOM + 3):
        journal.end(begun(journal))
    assert journal.lost == 3
    assert len(journal.take()) == records.ROOM


def test_no_two_names_are_the_same() -> None:
    one, other = Journal(), Journal()
    names = {HEADER(journal) for journal in (one, other) for _ in range(100)}
    assert len(names) == 200
    assert all(name.isascii() and len(name) <= 32 for name in names)
