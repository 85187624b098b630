"""Requests a minute, by a clock of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.proxy import rates
from llamactl.proxy.rates import Rates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted(clock: Clock) -> Rates:
    return Rates(clock, lambda: 5000.0 + clock.now)


def test_a_window(counted: Rates, clock: Clock) -> None:
    assert counted.hit("a", 2) == (
        b"X-RateLimit-Limit: 2\r\nX-RateLimit-Remaining: 1\r\nX-RateLimit-Reset: 5160\r\n",
        0.0,
    )
    clock.now = 130.0
    assert counted.hit("a", 2)[1] == 0.0
    assert counted.hit("a", 2) == (
        b"X-RateLimit-Limit: 2\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 5160\r\n",
        30.0,
    )
    assert counted.hit("b", 2)[1] == 0.0
    clock.now = 160.0
    assert counted.hit("a", 2)[1] == 0.0


@pytest.mark.parametrize(
    ("rate", "count", "seconds"),
    [
        (60.0, 60, 60),
        (300.0, 300, 60),
        (100 / 60, 5, 180),
        (0.5, 1, 120),
        (1 / 60, 1, 3600),
        (1 / 600, 1, 36000),
        (7.25, 87, 720),
    ],
)
def test_rates_that_are_no_whole_number_a_minute(
    counted: Rates, clock: Clock, rate: float, count: int, seconds: int
) -> None:
    for _ in range(count):
        assert counted.hit("a", rate)[1] == 0.0
    clock.now += seconds - 1
    assert 0 < counted.hit("a", rate)[1] <= 1
    clock.now += 1
    assert counted.hit("a", rate)[1] == 0.0


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60), st.integers(1, 5))
def test_never_more_than_the_rate_in_a_window(pauses: list[int], rate: int) -> None:
    clock = Clock()
    counted = Rates(clock, clock)
    let_in: list[float] = []
    for pause in pauses:
        clock.now += pause
        _, wait = counted.hit("a", rate)
        if wait:
            assert sum(time > clock.now - 60 for time in let_in) >= rate, "nobody is turned away for nothing"
            assert 0 < wait <= 60
        else:
            let_in.append(clock.now)
    for time in let_in:  # two windows that meet may let twice as many through
        assert sum(time <= other < time + 60 for other in let_in) <= 2 * rate


def test_many_addresses_take_no_more_memory(counted: Rates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 100)
    for number in range(1000):
        counted.hit(f"10.0.{number}", 1)
    assert len(counted.windows) == 100
    assert counted.hit("10.0.999", 1)[1] and not counted.hit("10.0.0", 1)[1]
