"""Who goes for whom, and when: what a reload costs, priorities, groups, memory that comes back late."""

import msgspec
import pytest

from llamactl.core.errors import BadRequest, DoesNotFit, QueueFull
from llamactl.core.scheduler import Effect, Grant, Group, Limits, Refuse, Resident, Scheduler, Start, Stop
from llamactl.core.scheduler.late import LONGEST
from llamactl.core.scheduler.residents import GRACE


def scheduler(memory: int, **limits: object) -> Scheduler:
    return Scheduler(msgspec.convert({"budget": {"host": memory}, **limits}, Limits))


def ask(s: Scheduler, ticket: int, model: str, size: int, now: float = 0.0, priority: int = 0) -> list[Effect]:
    return s.request(ticket, model, {"host": size}, now, priority=priority)


def leased(s: Scheduler, model: str, size: int, now: float, load: float = 1.0) -> Resident:
    assert ask(s, 0, model, size, now - load) == [Start(model)]
    assert s.ready(model, now) == [Grant(0, model)]
    return s.residents[model]


def idle(s: Scheduler, model: str, size: int, now: float, load: float = 1.0) -> Resident:
    resident = leased(s, model, size, now, load)
    s.release(resident, now)
    return resident


def evicted(model: str, by: str) -> Stop:
    return Stop(model, f"evicted for {by}")


# --- what is lost ---------------------------------------------------------------------------------


def test_what_takes_long_to_load_stays_though_it_was_used_earlier() -> None:
    s = scheduler(10)
    idle(s, "slow", 5, now=100.0, load=60.0)
    idle(s, "fast", 5, now=150.0, load=0.5)
    assert ask(s, 1, "new", 5, now=160.0) == [evicted("fast", "new")]


def test_in_the_end_even_what_takes_long_goes() -> None:
    s = scheduler(10)
    idle(s, "slow", 5, now=100.0, load=60.0)
    fast = idle(s, "fast", 5, now=150.0, load=0.5)
    assert s.admit("fast") is fast
    s.release(fast, 9000.0)
    assert ask(s, 1, "new", 5, now=9001.0) == [evicted("slow", "new")]


def test_one_large_rather_than_two_small_that_cost_more() -> None:
    s = scheduler(16)
    idle(s, "large", 8, now=10.0, load=3.0)
    idle(s, "x", 4, now=10.0, load=2.0)
    idle(s, "y", 4, now=10.0, load=2.0)
    assert ask(s, 1, "new", 8, now=20.0) == [evicted("large", "new")]


def test_what_one_that_goes_leaves_over_is_enough_for_the_next() -> None:
    """a and d are kept back for x, who leaves. Either is enough for b and c together."""
    s = scheduler(20, max_wait=10.0)
    idle(s, "a", 8, now=1.0)
    idle(s, "d", 8, now=1.0)
    leased(s, "e", 4, now=1.0)
    assert ask(s, 1, "x", 20, now=2.0) == []
    assert s.tick(12.0) == []
    assert ask(s, 2, "b", 4, now=12.0) == []
    assert ask(s, 3, "c", 4, now=12.0) == []
    assert s.cancel(1, 13.0) == [evicted("a", "b")]


def test_a_decision_says_its_numbers() -> None:
    s = scheduler(6 << 30)
    idle(s, "a", 4 << 30, now=60.0, load=0.5)
    (stop,) = ask(s, 1, "b", 3 << 30, now=100.0)
    assert isinstance(stop, Stop)
    assert stop.details == "idle 40 s, reload 0.5 s, frees 4 GiB"
    (start,) = s.gone("a", 101.0)
    assert isinstance(start, Start)
    assert start.details == "fits: needs 3 GiB of 6 GiB free on host"


def test_what_cannot_fit_is_told_who_has_the_rest() -> None:
    s = scheduler(10)
    idle(s, "idle", 2, now=1.0)
    leased(s, "busy", 3, now=1.0)
    idle(s, "pinned", 4, now=1.0)
    s.pin("pinned")
    (refuse,) = ask(s, 1, "b", 7, now=2.0)
    assert isinstance(refuse, Refuse) and isinstance(refuse.error, DoesNotFit)
    assert refuse.error.message == (
        "needs 7 B on host, where 1 B are free, 2 B could be freed by stopping idle models, "
        "3 B by those in use, later, 4 B are pinned"
    )


# --- a place in the line ----------------------------------------------------------------------------


def test_a_higher_priority_goes_first() -> None:
    s = scheduler(10)
    a = leased(s, "a", 10, now=1.0)
    assert ask(s, 1, "b", 10, now=2.0) == []
    assert ask(s, 2, "c", 10, now=3.0, priority=1) == []
    assert s.release(a, 4.0) == [evicted("a", "c")]


def test_a_higher_priority_takes_the_whole_line_along() -> None:
    s = scheduler(10)
    a = leased(s, "a", 10, now=1.0)
    for ticket, (model, priority) in enumerate([("b", 0), ("c", 0), ("c", 5)], 1):
        assert ask(s, ticket, model, 10, now=2.0, priority=priority) == []
    assert s.cancel(3, 3.0) == []
    assert s.release(a, 4.0) == [evicted("a", "b")]


def test_a_higher_priority_may_start_at_once_what_was_kept_back() -> None:
    s = scheduler(10)
    leased(s, "a", 6, now=1.0)
    assert ask(s, 1, "b", 8, now=2.0) == []
    assert ask(s, 2, "c", 4, now=2.0) == []
    assert ask(s, 3, "c", 4, now=3.0, priority=1) == [Start("c")]


def test_who_has_waited_long_goes_before_any_priority() -> None:
    s = scheduler(10, max_wait=10.0)
    a = leased(s, "a", 10, now=1.0)
    assert ask(s, 1, "low", 10, now=2.0) == []
    assert ask(s, 2, "high", 10, now=3.0, priority=9) == []
    s.tick(12.0)
    assert s.release(a, 12.5) == [evicted("a", "low")]


def test_a_constant_stream_of_higher_priority_does_not_keep_the_low_waiting() -> None:
    """Each of the high ones takes a second, and comes while the last is served."""
    s = scheduler(10, max_wait=10.0)
    leased(s, "a", 10, now=0.0)
    assert ask(s, 1, "low", 10, now=0.0) == []
    now, model = 0.0, "a"
    for ticket in range(2, 40):
        following = "xy"[ticket % 2]
        ask(s, ticket, following, 10, now + 0.5, priority=3)
        now += 1.0
        s.tick(now)
        (stop,) = s.release(s.residents[model], now)
        assert isinstance(stop, Stop)
        (start,) = s.gone(model, now)
        assert isinstance(start, Start)
        model = start.model
        s.ready(model, now)
        if model == "low":
            break
    assert model == "low" and now <= 11.0


def test_who_waits_knows_the_place_the_time_and_the_reason() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6, now=4.0, load=4.0)
    ask(s, 1, "b", 6, now=10.0)
    ask(s, 2, "c", 6, now=11.0)
    b, c = s.wait("b", 12.0), s.wait("c", 12.0)
    assert b is not None and c is not None
    assert (b.position, b.eta, c.position, c.eta) == (1, 4.0, 2, 8.0)
    assert b.reason == "waits for a (in use): needs 6 B on host, 4 B free"
    assert s.release(a, 13.0) == [evicted("a", "b")]
    s.gone("a", 14.0)
    b = s.wait("b", 15.0)
    assert b is not None and (b.position, b.eta, b.reason) == (0, 3.0, "it loads")
    assert s.wait("d", 15.0) is None


def test_who_is_sent_away_is_told_when_to_come_back() -> None:
    s = scheduler(10, queue_per_model=1)
    a = leased(s, "a", 6, now=30.0, load=30.0)
    ask(s, 1, "b", 6, now=31.0)
    (full,) = ask(s, 2, "b", 6, now=31.0)
    assert isinstance(full, Refuse) and isinstance(full.error, QueueFull) and full.error.retry_after == 30.0
    s.retire("a", 40.0, drain=20.0)
    (draining,) = ask(s, 3, "a", 6, now=45.0)
    assert isinstance(draining, Refuse) and draining.error.retry_after == 15.0
    assert a.leases == 1


def test_nobody_far_behind_is_looked_at_until_there_is_room() -> None:
    s = Scheduler(Limits(budget={"host": 10}), planned=2)
    a = leased(s, "a", 10, now=1.0)
    for ticket in range(1, 9):
        assert ask(s, ticket, f"m{ticket}", 5, now=2.0) == []
    assert s.release(a, 3.0) == [evicted("a", "m1")]
    assert s.gone("a", 4.0) == [Start("m1"), Start("m2")]


def test_who_is_far_behind_starts_where_there_is_room_left_over() -> None:
    s = Scheduler(Limits(budget={"host": 10}), planned=1)
    leased(s, "a", 6, now=1.0)
    assert ask(s, 1, "b", 8, now=2.0) == []
    assert ask(s, 2, "c", 8, now=2.0) == []
    assert ask(s, 3, "d", 2, now=2.0) == [Start("d")]


def test_who_comes_after_several_that_wait_starts_where_there_is_room_left_over() -> None:
    s = scheduler(22)
    leased(s, "a", 16, now=1.0)
    assert ask(s, 1, "b", 8, now=2.0) == []
    assert ask(s, 2, "c", 8, now=2.0) == []
    assert ask(s, 3, "d", 2, now=2.0) == [Start("d")]


# --- keeping ------------------------------------------------------------------------------------------


def test_what_was_started_by_name_stays_for_its_first_use_even_without_patience() -> None:
    s = scheduler(10)
    s.request(1, "a", {"host": 5}, 0.0, 0.0)
    s.ready("a", 1.0)
    a = s.residents["a"]
    assert s.release(a, 1.0, True) == []
    assert s.wake_at(1.0) == 1.0 + GRACE
    assert s.tick(GRACE) == []
    assert s.admit("a") is a
    assert s.release(a, 2.0) == [Stop("a", "idle")]


def test_but_not_for_ever() -> None:
    s = scheduler(10)
    s.request(1, "a", {"host": 5}, 0.0, 0.0)
    s.ready("a", 1.0)
    s.release(s.residents["a"], 1.0, True)
    assert s.tick(1.0 + GRACE) == [Stop("a", "idle")]


def test_another_ttl_counts_from_the_last_use() -> None:
    s = scheduler(10)
    idle(s, "a", 5, now=10.0)
    assert s.wake_at(11.0) is None
    s.keep("a", 30.0)
    assert s.wake_at(11.0) == 40.0


# --- groups -------------------------------------------------------------------------------------------


def grouped(memory: int, *groups: Group) -> Scheduler:
    return Scheduler(Limits(budget={"host": memory}, groups=groups))


PAIR = Group(name="pair", models=frozenset("ab"), max=1)
ALONE = Group(name="alone", models=frozenset("xy"), exclusive=True)


def test_only_so_many_of_a_group_are_resident() -> None:
    s = grouped(100, PAIR)
    idle(s, "a", 1, now=1.0)
    idle(s, "c", 1, now=0.9)
    assert ask(s, 1, "b", 1, now=2.0) == [evicted("a", "b")]
    assert s.gone("a", 3.0) == [Start("b")]


def test_a_pinned_member_keeps_the_others_of_its_group_out() -> None:
    s = grouped(100, PAIR)
    idle(s, "a", 1, now=1.0)
    s.pin("a")
    (refuse,) = ask(s, 1, "b", 1, now=2.0)
    assert isinstance(refuse, Refuse)
    assert refuse.error.message == "all 1 places of group pair are held by pinned models"


def test_an_exclusive_group_sends_all_others_away_and_lets_its_own_in() -> None:
    s = grouped(100, ALONE)
    idle(s, "a", 1, now=1.0)
    b = leased(s, "b", 1, now=1.0)
    assert ask(s, 1, "x", 1, now=2.0) == []
    wait = s.wait("x", 2.0)
    assert wait is not None and wait.reason == "waits for a, b to go: a group is exclusive"
    assert s.release(b, 3.0) == [evicted("a", "x"), evicted("b", "x")]
    assert s.gone("a", 4.0) == []
    assert s.gone("b", 4.0) == [Start("x")]
    assert ask(s, 2, "y", 1, now=5.0) == [Start("y")]
    assert ask(s, 3, "a", 1, now=5.0) == []
    s.ready("x", 6.0)
    s.ready("y", 6.0)
    s.release(s.residents["x"], 7.0)
    assert {*s.release(s.residents["y"], 7.0)} == {evicted("x", "a"), evicted("y", "a")}


def test_nobody_else_starts_while_an_exclusive_group_is_waited_for() -> None:
    s = grouped(100, ALONE)
    a = leased(s, "a", 1, now=1.0)
    assert ask(s, 1, "x", 1, now=2.0) == []
    assert ask(s, 2, "c", 1, now=2.0) == []
    assert s.release(a, 3.0) == [evicted("a", "x")]


def test_a_pinned_stranger_keeps_an_exclusive_group_out() -> None:
    s = grouped(100, ALONE)
    idle(s, "a", 1, now=1.0)
    s.pin("a")
    (refuse,) = ask(s, 1, "x", 1, now=2.0)
    assert isinstance(refuse, Refuse) and isinstance(refuse.error, DoesNotFit)
    assert refuse.error.message == "a is pinned, and the group alone allows only one of the two"


def test_other_groups_count_from_the_next_start() -> None:
    s = grouped(100)
    idle(s, "a", 1, now=1.0)
    idle(s, "b", 1, now=2.0)
    assert s.regroup((PAIR,), 3.0) == []
    assert ask(s, 1, "c", 1, now=4.0) == [Start("c")]
    s.retire("a", 5.0)
    s.gone("a", 6.0)
    assert ask(s, 2, "a", 1, now=7.0) == [evicted("b", "a")]


def test_a_group_as_it_is_written() -> None:
    assert Group.read("pair=a,b;max=1") == PAIR
    assert Group.read(" alone = x , y ; exclusive") == ALONE


@pytest.mark.parametrize(
    "text", ["", "a", "=a;max=1", "a=;max=1", "a=b", "a=b;max=0", "a=b;max=x", "a=b;exclusive=no", "a=b;max=1;more"]
)
def test_what_is_no_group(text: str) -> None:
    with pytest.raises(BadRequest, match="not a group"):
        Group.read(text)


# --- memory that comes back late --------------------------------------------------------------------------


def measured(s: Scheduler, memory: int) -> None:
    s.limits = msgspec.structs.replace(s.limits, budget={"host": memory})


def test_a_start_waits_until_the_memory_is_measured_to_be_back() -> None:
    s = scheduler(10)
    idle(s, "a", 8, now=1.0)
    assert ask(s, 1, "b", 8, now=2.0) == [evicted("a", "b")]
    measured(s, 2)  # the process is gone, what it had is not free yet
    assert s.gone("a", 3.0) == []
    due = s.wake_at(3.0)
    assert due is not None and 3.0 < due < 3.1
    assert s.tick(due) == []
    measured(s, 9)
    assert s.tick(3.2) == [Start("b")]
    assert s.wake_at(3.2) is None


def test_it_does_not_wait_for_ever() -> None:
    s = scheduler(10)
    idle(s, "a", 8, now=1.0)
    assert ask(s, 1, "b", 8, now=2.0) == [evicted("a", "b")]
    measured(s, 2)
    assert s.gone("a", 3.0) == []
    assert s.tick(3.0 + LONGEST - 0.1) == []
    (refuse,) = s.tick(3.0 + LONGEST)
    assert isinstance(refuse, Refuse) and isinstance(refuse.error, DoesNotFit)


def test_what_is_late_of_two_counts_once() -> None:
    """Of 10, 4 are not back: no more than these may be counted on, whoever of the two had them."""
    s = scheduler(10)
    idle(s, "a", 4, now=1.0)
    idle(s, "b", 4, now=1.0)
    s.retire("a", 2.0)
    s.retire("b", 2.0)
    measured(s, 6)
    s.gone("a", 3.0)
    s.gone("b", 3.0)
    (refuse,) = ask(s, 1, "c", 11, now=3.0)
    assert isinstance(refuse, Refuse)
    assert ask(s, 2, "d", 10, now=3.0) == []


def test_what_is_late_stops_nobody_else() -> None:
    s = scheduler(16)
    idle(s, "a", 8, now=1.0)
    idle(s, "c", 8, now=1.9)
    s.retire("a", 2.0)
    measured(s, 8)
    s.gone("a", 3.0)
    assert ask(s, 1, "b", 8, now=3.0) == []
    assert s.residents["c"].state == "ready"


def test_what_ran_out_of_memory_sends_the_idle_away() -> None:
    s = scheduler(10)
    idle(s, "a", 2, now=1.0)
    idle(s, "pinned", 2, now=1.0)
    s.pin("pinned")
    leased(s, "busy", 2, now=1.0)
    assert s.clear("b", 2.0) == [evicted("a", "b")]


def test_one_of_an_earlier_daemon_counts_like_any_other() -> None:
    s = scheduler(10)
    s.adopt("a", {"host": 6}, 1.0, ttl=5.0)
    assert s.wake_at(1.0) == 6.0
    assert ask(s, 1, "b", 6, now=2.0) == [evicted("a", "b")]
    s.adopt("c", {"host": 6}, 2.0, state="stopping")
    assert s.gone("a", 3.0) == []
    assert s.gone("c", 3.0) == [Start("b")]


def test_a_plan_does_nothing() -> None:
    s = scheduler(10)
    idle(s, "a", 6, now=1.0)
    assert s.would_evict("b", {"host": 6}, 2.0) == ["a"]
    assert s.would_evict("b", {"host": 4}, 2.0) == []
    assert isinstance(s.would_evict("b", {"host": 11}, 2.0), DoesNotFit)
    assert s.residents["a"].state == "ready"


def test_who_is_refused_is_in_nobodys_way() -> None:
    s = Scheduler(Limits(budget={"host": 10}), planned=1)
    for ticket, (model, size) in enumerate({"pinned": 5, "busy": 2}.items()):
        s.request(ticket, model, {"host": size}, 0.0)
        s.ready(model, 0.0)
    s.request(7, "large", {"host": 6}, 0.0)
    s.request(8, "small", {"host": 5}, 1.0)
    s.pin("pinned")
    effects = s.tick(20.0)
    assert [type(effect) for effect in effects] == [Refuse]
    assert s.residents["busy"].closing, "for the small one, which has waited long"


def test_nobody_is_stopped_for_one_who_waits_for_strangers_promised_to_another() -> None:
    """They are resident together only since the groups are others."""
    s = Scheduler(Limits(budget={"host": 10}))
    leased(s, "stranger", 4, now=1.0)
    s.release(leased(s, "few1", 5, now=1.0), 1.0)
    s.regroup((Group(name="few", models=frozenset({"few1", "few2", "few3"}), exclusive=True),), 2.0)
    assert ask(s, 1, "few2", 5, now=3.0) == []
    assert ask(s, 2, "few3", 4, now=3.0) == []
    assert s.residents["few1"].state == "ready"
