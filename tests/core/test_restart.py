"""When what died is started again, and when it is given up."""

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.exits import Kind
from llamactl.core.restart import NEVER, ONCE, SPREAD, Again, GiveUp, Policy, Record, judge, pause

ENDLESS = Policy(crashes=1000)
KINDS = sorted(get_args(Kind))
PASSING = sorted(set(KINDS) - NEVER)

policies = st.builds(
    Policy,
    first=st.floats(0, 100),
    factor=st.floats(1, 1000),
    longest=st.floats(0, 1000),
    healthy_after=st.floats(0, 1000),
    crashes=st.integers(1, 10),
    window=st.floats(1, 10000),
)
jitters = st.floats(0, 1)


def deaths(policy: Policy, *, lasting: float | None, times: int, jitter: float = 0.5) -> list[float | None]:
    """The pauses between deaths by a signal, each after so long a life; None where it is given up."""
    record, now, pauses = Record(), 0.0, list[float | None]()
    for _ in range(times):
        record, verdict = judge(policy, record, "signal", now, lasting, jitter)
        pauses.append(verdict.at - now if isinstance(verdict, Again) else None)
        now = (verdict.at if isinstance(verdict, Again) else now) + (lasting or 0.0)
    return pauses


def test_pauses_double_up_to_the_longest() -> None:
    assert deaths(ENDLESS, lasting=1.0, times=8) == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


def test_pauses_can_be_those_of_version_1() -> None:
    policy = Policy(longest=16.0, crashes=1000)
    assert deaths(policy, lasting=1.0, times=6) == pytest.approx([1, 2, 4, 8, 16, 16])


@pytest.mark.parametrize(("lasting", "second"), [(119.9, 2.0), (120.0, 1.0), (1e6, 1.0)])
def test_who_was_well_for_long_enough_begins_anew(lasting: float, second: float) -> None:
    assert deaths(ENDLESS, lasting=lasting, times=2) == pytest.approx([1.0, second])


def test_the_fifth_death_within_ten_minutes_is_the_last() -> None:
    assert deaths(Policy(), lasting=1.0, times=5) == pytest.approx([1, 2, 4, 8, None])


def test_deaths_that_lie_far_back_do_not_count() -> None:
    assert None not in deaths(Policy(), lasting=200.0, times=20), "five take longer than ten minutes"
    assert deaths(Policy(), lasting=140.0, times=5)[-1] is None


def test_it_is_given_up_until_the_oldest_of_them_lies_far_back() -> None:
    record = Record(crashes=(100.0, 200.0, 300.0, 400.0), pauses=4)
    after, verdict = judge(Policy(), record, "signal", 500.0, 3.0, 0.5)
    assert verdict == GiveUp(700.0, "died 5 times within 600 s")
    _, verdict = judge(Policy(), after, "signal", 701.0, 3.0, 0.5)
    assert verdict == GiveUp(800.0, "died 5 times within 600 s"), "one more, and those after it still count"


@pytest.mark.parametrize("kind", sorted(NEVER))
@pytest.mark.parametrize("served", [None, 5.0, 1e6])
def test_what_time_does_not_mend_is_not_tried_again(kind: Kind, served: float | None) -> None:
    record = Record((1.0,), 1)
    assert judge(Policy(), record, kind, 10.0, served, 0.5) == (record, GiveUp())


@pytest.mark.parametrize("kind", sorted(ONCE))
def test_what_rarely_passes_while_it_loads_is_tried_once_more(kind: Kind) -> None:
    record, verdict = judge(Policy(), Record(), kind, 0.0, None, 0.5)
    assert verdict == Again(1.0)
    assert isinstance(judge(Policy(), record, "signal", 2.0, None, 0.5)[1], Again), "of another cause"
    record, verdict = judge(Policy(), record, kind, 2.0, None, 0.5)
    assert verdict == GiveUp()
    _, verdict = judge(Policy(), record, kind, 4.0, None, 0.5)
    assert isinstance(verdict, Again), "somebody has asked for it anew"


@pytest.mark.parametrize("kind", sorted(ONCE))
def test_after_it_had_served_that_counts_like_any_other_death(kind: Kind) -> None:
    record = Record()
    for number in range(4):
        record, verdict = judge(Policy(), record, kind, 100.0 * number, 5.0, 0.5)
        assert isinstance(verdict, Again)


@given(policies, jitters, st.integers(0, 1000))
def test_a_pause_is_never_longer_than_the_longest_nor_shorter_than_the_one_before(
    policy: Policy, jitter: float, number: int
) -> None:
    here, next_ = pause(policy, number, jitter), pause(policy, number + 1, jitter)
    assert 0 <= here <= next_ <= policy.longest


@given(jitters, jitters, st.integers(0, 10))
def test_jitter_moves_a_pause_a_little(one: float, other: float, number: int) -> None:
    exact = 2.0**number
    policy = Policy(longest=1e9)
    for jitter in (one, other):
        assert abs(pause(policy, number, jitter) - exact) <= SPREAD * exact * 1.000001
    assert (pause(policy, number, 0.0), pause(policy, number, 1.0)) == pytest.approx((0.9 * exact, 1.1 * exact))


@given(
    policies,
    st.lists(
        st.tuples(st.sampled_from(PASSING), st.floats(0, 2000), st.none() | st.floats(0, 500), jitters), max_size=40
    ),
)
def test_any_life(policy: Policy, lives: list[tuple[Kind, float, float | None, float]]) -> None:
    """Whatever happens: never more deaths within the window than are allowed without being given up."""
    record, now = Record(), 0.0
    tried_again: list[float] = []
    for kind, rest, served, jitter in lives:
        now += rest
        record, verdict = judge(policy, record, kind, now, served, jitter)
        recent = [at for at in tried_again if at > now - policy.window]
        assert len(record.crashes) <= policy.crashes
        assert all(before <= after for before, after in pairwise(record.crashes))
        if isinstance(verdict, Again):
            assert len(recent) < policy.crashes - 1
            assert now <= verdict.at <= now + policy.longest
            tried_again.append(now)
        else:
            assert verdict.until == 0.0 or verdict.until >= now
