"""What the scheduler decides, as effects compared with `==`.

Memory is in made-up units, time in seconds. `a`, `b`, … are models; numbers are tickets.
"""

from itertools import count
from typing import Any

import msgspec
import pytest

from llamactl.core.errors import DoesNotFit, Draining, LlamactlError, LoadFailed, QueueFull
from llamactl.core.scheduler import Effect, Grant, Limits, Refuse, Resident, Scheduler, Start, Stop


def scheduler(memory: int, **limits: Any) -> Scheduler:
    return Scheduler(Limits(budget={"host": memory}, **limits))


def ask(s: Scheduler, ticket: int, model: str, size: int, now: float = 0.0, ttl: float = -1.0) -> list[Effect]:
    return s.request(ticket, model, {"host": size}, now, ttl)


def leased(s: Scheduler, model: str, size: int, now: float = 0.0, ttl: float = -1.0) -> Resident:
    """`model` made ready, with one lease out on it."""
    assert ask(s, 0, model, size, now, ttl) == [Start(model)]
    assert s.ready(model, now) == [Grant(0, model)]
    return s.residents[model]


def idle(s: Scheduler, model: str, size: int, now: float = 0.0, ttl: float = -1.0) -> Resident:
    """`model` made ready and last used at `now`."""
    resident = leased(s, model, size, now, ttl)
    assert s.release(resident, now) == []
    return resident


def another_lease(s: Scheduler, model: str) -> Resident:
    resident = s.admit(model)
    assert resident is not None
    return resident


def change(s: Scheduler, **limits: Any) -> None:
    s.limits = msgspec.structs.replace(s.limits, **limits)


def refused(effects: list[Effect]) -> list[tuple[int, type[LlamactlError]]]:
    """Ticket and kind of each refusal; anything else among `effects` fails."""
    found = []
    for effect in effects:
        assert isinstance(effect, Refuse)
        found.append((effect.ticket, type(effect.error)))
    return found


def evicted(model: str, by: str) -> Stop:
    return Stop(model, f"evicted for {by}")


# --- serving ----------------------------------------------------------------------------------------


def test_what_is_ready_serves_at_once() -> None:
    s = scheduler(10)
    a = idle(s, "a", 5)
    assert ask(s, 1, "a", 5) == [Grant(1, "a")]
    assert s.admit("a") is a
    assert a.leases == 2
    assert s.waiting("a") == 0


def test_what_does_not_run_or_is_still_loading_admits_nobody() -> None:
    s = scheduler(10)
    assert s.admit("a") is None
    ask(s, 1, "a", 5)
    assert s.admit("a") is None


def test_fifty_first_requests_start_one_process() -> None:
    s = scheduler(10)
    effects = [effect for ticket in range(50) for effect in ask(s, ticket, "a", 5)]
    assert effects == [Start("a")]
    assert s.waiting("a") == 50
    assert s.ready("a", 1.0) == [Grant(ticket, "a") for ticket in range(50)]
    assert s.residents["a"].leases == 50
    assert s.waiting("a") == 0


def test_models_that_fit_together_run_together() -> None:
    s = scheduler(10)
    assert ask(s, 1, "a", 5) == [Start("a")]
    assert ask(s, 2, "b", 5) == [Start("b")]
    assert s.ready("b", 0.0) == [Grant(2, "b")]
    assert s.ready("a", 0.0) == [Grant(1, "a")]


# --- making room ------------------------------------------------------------------------------------


def test_the_least_recently_used_goes_and_its_memory_counts_until_it_is_gone() -> None:
    s = scheduler(9)
    idle(s, "a", 3, now=1.0)
    idle(s, "b", 3, now=2.0)
    idle(s, "c", 3, now=3.0)
    assert s.release(another_lease(s, "a"), 4.0) == []
    assert ask(s, 1, "d", 3, now=5.0) == [evicted("b", by="d")]
    assert s.tick(6.0) == []
    assert s.gone("b", 7.0) == [Start("d")]
    assert s.ready("d", 8.0) == [Grant(1, "d")]


def test_every_device_is_kept_to() -> None:
    s = Scheduler(Limits(budget={"host": 10, "gpu": 4}))
    assert s.request(1, "a", {"host": 1, "gpu": 4}, 0.0) == [Start("a")]
    assert s.request(2, "b", {"host": 1, "gpu": 4}, 0.0) == []
    assert s.request(3, "c", {"host": 1}, 0.0) == [Start("c")]
    assert s.ready("a", 0.0) == [Grant(1, "a")]
    assert s.release(s.residents["a"], 1.0) == [evicted("a", by="b")]


def test_a_place_counts_until_the_process_is_gone() -> None:
    s = scheduler(100, max_models=2)
    idle(s, "a", 1, now=1.0)
    idle(s, "b", 1, now=2.0)
    assert ask(s, 1, "c", 1, now=3.0) == [evicted("a", by="c")]
    assert s.gone("a", 4.0) == [Start("c")]


def test_nothing_is_stopped_when_nothing_would_suffice() -> None:
    s = scheduler(10)
    idle(s, "a", 5)
    (refuse,) = ask(s, 1, "b", 11)
    assert isinstance(refuse, Refuse) and isinstance(refuse.error, DoesNotFit)
    assert "needs 11 B on host, where 5 B are free, 5 B could be freed by stopping idle models" in refuse.error.message
    assert "pinned" not in refuse.error.message
    assert refused(s.request(2, "c", {"host": 1, "gpu": 1}, 0.0)) == [(2, DoesNotFit)]
    assert list(s.residents) == ["a"]
    assert s.waiting("b") == s.waiting("c") == 0
    assert s.admit("a")


def test_what_can_never_fit_is_refused_at_once_whoever_waits_before_it() -> None:
    s = scheduler(10)
    leased(s, "a", 10)
    ask(s, 1, "b", 10)
    assert refused(ask(s, 2, "c", 11)) == [(2, DoesNotFit)]


def test_what_can_no_longer_fit_is_refused_when_its_turn_comes() -> None:
    s = scheduler(10)
    a = leased(s, "a", 10)
    ask(s, 1, "b", 8)
    ask(s, 2, "c", 4)
    change(s, budget={"host": 6})
    effects = s.release(a, 1.0)
    assert refused(effects[:1]) == [(1, DoesNotFit)]
    assert effects[1:] == [evicted("a", by="c")]


def test_the_busy_are_not_stopped() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    another_lease(s, "a")
    assert ask(s, 1, "b", 6) == []
    assert s.release(a, 1.0) == []
    assert s.tick(2.0) == []
    assert s.release(a, 3.0) == [evicted("a", by="b")]


def test_what_is_loading_is_not_stopped_for_another() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    assert ask(s, 2, "b", 6) == []
    assert s.tick(100.0) == []


def test_the_idle_are_not_stopped_in_vain() -> None:
    """b alone would not make room for c, so it stays while a is busy."""
    s = scheduler(10)
    a = leased(s, "a", 6)
    idle(s, "b", 4)
    assert ask(s, 1, "c", 8) == []
    assert s.admit("b") is not None
    assert s.release(s.residents["b"], 1.0) == []
    assert s.release(a, 2.0) == [evicted("a", by="c"), evicted("b", by="c")]
    assert s.gone("b", 3.0) == []
    assert s.gone("a", 3.0) == [Start("c")]


def test_the_idle_are_not_stopped_for_memory_that_only_the_busy_could_add() -> None:
    """c waits for a, which frees more than c takes; d could have the rest of it and b's, but not now."""
    s = scheduler(10)
    leased(s, "a", 8)
    idle(s, "b", 2)
    assert ask(s, 1, "c", 6) == []
    assert ask(s, 2, "d", 3) == []


def test_a_smaller_budget_stops_nobody_but_counts_at_the_next_start() -> None:
    s = scheduler(10)
    idle(s, "a", 4, now=1.0)
    idle(s, "b", 4, now=2.0)
    change(s, budget={"host": 6})
    assert s.tick(3.0) == []
    assert ask(s, 1, "c", 2, now=4.0) == [evicted("a", by="c")]
    assert s.gone("a", 5.0) == [Start("c")]


def test_fewer_places_stop_nobody_but_count_at_the_next_start() -> None:
    s = scheduler(100)
    for now, model in enumerate("abc"):
        idle(s, model, 1, float(now))
    change(s, max_models=2)
    assert s.tick(3.0) == []
    assert ask(s, 1, "d", 1, now=4.0) == [evicted("a", by="d"), evicted("b", by="d")]
    assert s.gone("a", 5.0) == []
    assert s.gone("b", 5.0) == [Start("d")]


def test_who_needs_nothing_of_an_oversold_device_is_not_kept_waiting_for_it() -> None:
    s = Scheduler(Limits(budget={"host": 10, "gpu": 4}))
    s.request(1, "a", {"host": 1, "gpu": 4}, 0.0)
    s.ready("a", 0.0)
    s.pin("a")
    change(s, budget={"host": 10, "gpu": 2})
    assert s.request(2, "b", {"host": 1, "gpu": 0}, 0.0) == [Start("b")]


# --- fairness ---------------------------------------------------------------------------------------


def test_what_is_ready_serves_while_nobody_has_waited_too_long() -> None:
    """A B A B A B with memory for one: each model is loaded once."""
    s = scheduler(10)
    assert ask(s, 1, "a", 6, now=0.0) == [Start("a")]
    assert ask(s, 2, "b", 6, now=0.1) == []
    assert ask(s, 3, "a", 6, now=0.2) == []
    assert ask(s, 4, "b", 6, now=0.3) == []
    assert s.ready("a", 1.0) == [Grant(1, "a"), Grant(3, "a")]
    a = s.residents["a"]
    assert ask(s, 5, "a", 6, now=1.1) == [Grant(5, "a")]
    assert ask(s, 6, "b", 6, now=1.2) == []
    assert s.release(a, 2.0) == []
    assert s.release(a, 2.0) == []
    assert s.release(a, 2.0) == [evicted("a", by="b")]
    assert s.gone("a", 2.1) == [Start("b")]
    assert s.ready("b", 3.0) == [Grant(2, "b"), Grant(4, "b"), Grant(6, "b")]


def test_twelve_mixed_requests_for_two_models_and_memory_for_one() -> None:
    """Played to the end, whatever is asked for done after one second: twelve grants and one swap."""
    s = scheduler(10)
    effects = [effect for ticket in range(12) for effect in ask(s, ticket, "ab"[ticket % 2], 6)]
    done: list[Effect] = []
    for now in count(1):
        done += effects
        todo, effects = effects, []
        for effect in todo:
            match effect:
                case Start(model):
                    effects += s.ready(model, now)
                case Stop(model):
                    effects += s.gone(model, now)
                case Grant(_, model):
                    effects += s.release(s.residents[model], now)
        if not todo:
            break
    assert sorted(effect.ticket for effect in done if isinstance(effect, Grant)) == list(range(12))
    assert [effect for effect in done if not isinstance(effect, Grant)] == [
        Start("a"),
        evicted("a", by="b"),
        Start("b"),
    ]


def test_who_has_waited_long_is_served_in_spite_of_a_constant_stream_for_another() -> None:
    s = scheduler(10, max_wait=10.0)
    a = leased(s, "a", 6)
    assert ask(s, 1, "b", 6, now=0.0) == []
    assert s.wake_at(0.0) == 10.0
    assert ask(s, 3, "b", 6, now=0.5) == []
    for second in range(1, 10):
        assert s.admit("a") is a
        assert s.release(a, second) == []
        assert s.tick(second) == []
    assert s.tick(10.0) == []
    assert s.admit("a") is None
    assert ask(s, 2, "a", 6, now=10.5) == []
    assert s.release(a, 11.0) == [evicted("a", by="b")]
    assert s.gone("a", 11.1) == [Start("b")]
    assert s.ready("b", 12.0) == [Grant(1, "b"), Grant(3, "b")]
    assert s.waiting("a") == 1
    assert s.tick(20.5) == []
    assert s.release(s.residents["b"], 20.6) == []
    assert s.release(s.residents["b"], 20.7) == [evicted("b", by="a")]


def test_an_instance_opens_again_when_the_one_it_was_closed_for_leaves() -> None:
    s = scheduler(10)
    leased(s, "a", 6)
    ask(s, 1, "b", 6, now=0.0)
    s.tick(10.0)
    assert ask(s, 2, "a", 6, now=10.0) == []
    assert s.cancel(1, 11.0) == [Grant(2, "a")]
    assert s.admit("a") is not None


def test_each_who_has_waited_long_gets_a_place_of_its_own() -> None:
    s = scheduler(10, max_wait=10.0)
    a, b = leased(s, "a", 5), leased(s, "b", 5)
    assert ask(s, 1, "c", 5, now=0.0) == []
    assert ask(s, 2, "d", 5, now=0.0) == []
    assert s.tick(10.0) == []
    assert s.admit("a") is s.admit("b") is None
    assert s.release(a, 11.0) == [evicted("a", by="c")]
    assert s.release(b, 11.0) == [evicted("b", by="d")]


def test_an_instance_opens_again_when_nobody_waits_any_more() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    ask(s, 1, "b", 6, now=0.0)
    s.tick(10.0)
    assert s.admit("a") is None
    assert s.cancel(1, 11.0) == []
    assert s.admit("a") is a


def test_two_models_that_load_longer_than_max_wait_serve_between_the_swaps() -> None:
    """Otherwise each would be stopped for the other the moment it is ready, for ever."""
    s = scheduler(10, max_wait=10.0)
    assert ask(s, 1, "a", 6, now=0.0) == [Start("a")]
    assert ask(s, 2, "b", 6, now=1.0) == []
    assert s.tick(11.0) == []
    assert s.ready("a", 30.0) == [Grant(1, "a")]
    assert s.admit("a") is None
    assert s.release(s.residents["a"], 31.0) == [evicted("a", by="b")]


def test_the_one_to_go_stays_the_same_while_two_are_busy_all_the_time() -> None:
    """Were it chosen anew by its last use, a and b would take turns at being emptied, and none ever were."""
    s = scheduler(10, max_wait=10.0)
    a, b = leased(s, "a", 5, now=0.0), leased(s, "b", 5, now=0.1)
    another_lease(s, "a")
    assert ask(s, 1, "c", 5, now=1.0) == []
    assert s.tick(11.0) == []
    assert s.release(a, 12.0) == []
    assert ask(s, 2, "a", 5, now=12.0) == []
    assert s.admit("b") is b
    assert s.release(a, 13.0) == [evicted("a", by="c")]


def test_those_to_go_stay_the_same_when_one_of_them_is_idle_before_the_other() -> None:
    """c takes the place of two. Were a spared as the one used last once it is idle, c would wait for ever."""
    s = scheduler(9, max_wait=10.0)
    a, b, _ = leased(s, "a", 3, now=0.0), leased(s, "b", 3, now=0.1), leased(s, "d", 3, now=0.2)
    assert ask(s, 1, "c", 6, now=1.0) == []
    assert s.tick(11.0) == []
    assert s.release(a, 12.0) == []
    assert ask(s, 2, "a", 3, now=12.5) == []
    assert s.admit("d") is not None
    assert s.release(b, 13.0) == [evicted("a", by="c"), evicted("b", by="c")]


def test_the_age_of_a_line_is_that_of_its_first_who_still_waits() -> None:
    """b is asked for again and again by one who gives up each time; c must not wait behind it for ever."""
    s = scheduler(10, max_wait=10.0)
    a = leased(s, "a", 6)
    assert ask(s, 1, "b", 6, now=0.0) == []
    assert ask(s, 2, "c", 6, now=1.0) == []
    assert ask(s, 3, "b", 6, now=5.0) == []
    assert s.cancel(1, 6.0) == []
    assert s.wake_at(6.0) == 11.0
    assert s.tick(11.0) == []
    assert s.admit("a") is None
    assert s.release(a, 11.5) == [evicted("a", by="c")]
    assert s.gone("a", 12.0) == [Start("c")]


def test_who_has_not_waited_long_does_not_stop_what_is_waited_for_itself() -> None:
    """a is kept back for c until c leaves; then a serves, rather than going for d."""
    s = scheduler(10, max_wait=10.0)
    idle(s, "a", 5)
    leased(s, "b", 5)
    assert ask(s, 1, "c", 10, now=0.0) == []
    assert s.tick(10.0) == []
    assert ask(s, 2, "a", 5, now=10.0) == []
    assert ask(s, 3, "d", 5, now=10.0) == []
    assert s.cancel(1, 11.0) == [Grant(2, "a")]


def test_who_has_waited_long_stops_what_was_closed_for_it_though_waited_for() -> None:
    s = scheduler(10, max_wait=10.0)
    idle(s, "a", 5)
    b = leased(s, "b", 5)
    assert ask(s, 1, "c", 10, now=0.0) == []
    assert s.tick(10.0) == []
    assert ask(s, 2, "a", 5, now=10.0) == []
    assert s.release(b, 11.0) == [evicted("a", by="c"), evicted("b", by="c")]


def test_others_start_beside_the_first_in_line_with_memory_it_will_not_need() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    assert ask(s, 1, "b", 8) == []
    assert ask(s, 2, "c", 2) == [Start("c")]
    assert ask(s, 3, "d", 2) == []
    assert s.release(a, 1.0) == [evicted("a", by="b")]
    assert s.gone("a", 2.0) == [Start("b")]


def test_what_is_on_its_way_to_the_first_in_line_is_kept_for_it() -> None:
    """b leaves for d; c could start in what is free now, but then d would have to wait for a as well."""
    s = scheduler(10)
    leased(s, "a", 5)
    idle(s, "b", 3)
    assert ask(s, 1, "d", 5) == [evicted("b", by="d")]
    assert ask(s, 2, "c", 2) == []
    assert s.gone("b", 1.0) == [Start("d")]


def test_what_is_on_its_way_to_the_second_in_line_is_kept_for_it_too() -> None:
    """c waits for a, d for the idle b alone; e would fit into what a leaves over, and must not take d's."""
    s = scheduler(16)
    leased(s, "a", 10, now=0.0)
    idle(s, "b", 1, now=1.0)
    assert ask(s, 1, "c", 7) == []
    assert ask(s, 2, "d", 6) == [evicted("b", by="d")]
    assert ask(s, 3, "e", 2) == []
    assert s.gone("b", 1.0) == [Start("d")]


def test_the_idle_are_not_stopped_for_memory_that_is_kept_for_the_first_in_line() -> None:
    s = scheduler(10)
    leased(s, "a", 6, now=0.0)
    idle(s, "b", 2, now=1.0)
    assert ask(s, 1, "c", 8, now=2.0) == []
    assert ask(s, 2, "d", 4, now=2.0) == []


def test_the_last_bit_of_memory_and_the_last_place_are_given_out() -> None:
    s = scheduler(6, max_models=2)
    leased(s, "a", 5)
    assert ask(s, 1, "b", 5) == []
    assert ask(s, 2, "c", 1) == [Start("c")]


def test_an_idle_one_promised_to_the_first_in_line_is_not_taken_by_the_second() -> None:
    s = scheduler(10)
    leased(s, "a", 5)
    idle(s, "b", 5)
    assert ask(s, 1, "c", 10) == []
    assert ask(s, 2, "d", 5) == []
    assert s.residents["b"].state == "ready"


def test_the_first_in_line_is_first_even_after_its_process_has_died() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6, now=0.0)
    ask(s, 2, "b", 6, now=1.0)
    assert s.gone("a", 2.0) == [Start("a")]


# --- queues -----------------------------------------------------------------------------------------


def test_a_queue_is_bounded_per_model() -> None:
    s = scheduler(10, queue_per_model=2)
    ask(s, 1, "a", 6)
    ask(s, 2, "a", 6)
    full = ask(s, 3, "a", 6)
    assert refused(full) == [(3, QueueFull)]
    assert isinstance(full[0], Refuse) and full[0].error.retry_after == 1.0
    assert ask(s, 4, "b", 4) == [Start("b")]
    assert s.cancel(1, 0.0) == []
    assert ask(s, 5, "a", 6) == []
    assert s.ready("a", 1.0) == [Grant(2, "a"), Grant(5, "a")]
    assert ask(s, 6, "a", 6) == [Grant(6, "a")]


def test_all_queues_together_are_bounded() -> None:
    s = scheduler(10, queue_total=2)
    ask(s, 1, "a", 5)
    ask(s, 2, "b", 5)
    assert refused(ask(s, 3, "a", 5)) == [(3, QueueFull)]
    assert refused(ask(s, 4, "c", 5)) == [(4, QueueFull)]
    assert s.waiting("c") == 0
    s.ready("b", 1.0)
    assert ask(s, 5, "a", 5) == []


@pytest.mark.parametrize("how", ["granted", "cancelled", "failed", "retired"])
def test_whoever_left_the_queue_no_longer_counts(how: str) -> None:
    s = scheduler(10, queue_total=1)
    ask(s, 1, "a", 5)
    match how:
        case "granted":
            s.ready("a", 0.0)
        case "cancelled":
            s.cancel(1, 0.0)
        case "failed":
            s.gone("a", 0.0, LoadFailed("no"))
        case "retired":
            s.retire("a", 0.0)
    assert ask(s, 2, "b", 5) == [Start("b")]


# --- giving up --------------------------------------------------------------------------------------


def test_a_waiter_that_is_gone_starts_nothing() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    ask(s, 1, "b", 6)
    assert s.cancel(1, 1.0) == []
    assert s.release(a, 2.0) == []
    assert list(s.residents) == ["a"]


def test_a_start_under_way_goes_on_without_its_waiter() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    assert s.cancel(1, 1.0) == []
    assert s.ready("a", 2.0) == []
    assert ask(s, 2, "a", 6, now=3.0) == [Grant(2, "a")]


def test_the_others_in_line_stay() -> None:
    s = scheduler(10)
    for ticket in (1, 2, 3):
        ask(s, ticket, "a", 6)
    s.cancel(2, 1.0)
    assert s.waiting("a") == 2
    assert s.ready("a", 2.0) == [Grant(1, "a"), Grant(3, "a")]


def test_a_waiter_that_is_gone_makes_way_for_the_next() -> None:
    s = scheduler(10)
    leased(s, "a", 6)
    assert ask(s, 1, "b", 8) == []
    assert ask(s, 2, "c", 4) == []
    assert s.cancel(1, 1.0) == [Start("c")]


def test_cancelling_what_was_decided_or_never_asked_does_nothing() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    assert s.cancel(0, 1.0) == []
    assert s.cancel(99, 1.0) == []
    assert a.leases == 1


# --- stopping on request ----------------------------------------------------------------------------


def test_an_idle_one_is_stopped_at_once() -> None:
    s = scheduler(10)
    idle(s, "a", 6)
    assert s.retire("a", 1.0) == [Stop("a", "stopped on request")]
    assert s.retire("a", 2.0) == []
    assert s.gone("a", 3.0) == []
    assert s.residents == {}


def test_one_that_is_loading_is_stopped_at_once_and_its_waiters_are_told() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    ask(s, 2, "a", 6)
    effects = s.retire("a", 1.0)
    assert refused(effects[:2]) == [(1, Draining), (2, Draining)]
    assert effects[2:] == [Stop("a", "stopped on request")]
    assert s.ready("a", 2.0) == []
    assert s.admit("a") is None


def test_a_busy_one_drains_first() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    another_lease(s, "a")
    assert s.retire("a", 1.0) == []
    assert s.admit("a") is None
    assert refused(ask(s, 1, "a", 6, now=1.0)) == [(1, Draining)]
    assert s.release(a, 2.0) == []
    assert s.release(a, 3.0) == [Stop("a", "stopped on request")]


def test_whoever_asks_while_it_is_being_stopped_gets_the_next_one() -> None:
    s = scheduler(10)
    idle(s, "a", 6)
    s.retire("a", 1.0)
    assert ask(s, 1, "a", 6, now=2.0) == []
    assert s.gone("a", 3.0) == [Start("a")]


def test_others_wait_for_the_memory_of_one_that_drains() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    idle(s, "b", 4)
    s.retire("a", 1.0)
    assert ask(s, 1, "c", 6, now=2.0) == []
    assert s.release(a, 3.0) == [Stop("a", "stopped on request")]
    assert s.gone("a", 4.0) == [Start("c")]


def test_when_it_does_not_drain_in_time_it_is_stopped_with_its_leases() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    s.retire("a", 1.0)
    assert s.expel("a", 31.0) == [Stop("a", "stopped on request, not drained in time")]
    assert s.expel("a", 32.0) == []
    assert s.release(a, 33.0) == []
    assert s.gone("a", 34.0) == []


def test_only_what_drains_can_be_expelled() -> None:
    s = scheduler(10)
    assert s.expel("a", 0.0) == []
    leased(s, "a", 6)
    assert s.expel("a", 1.0) == []
    assert s.admit("a") is not None


def test_who_waits_for_what_does_not_run_is_sent_away_when_it_is_stopped() -> None:
    s = scheduler(10)
    leased(s, "a", 6)
    ask(s, 1, "b", 6)
    assert refused(s.retire("b", 1.0)) == [(1, Draining)]
    assert s.waiting("b") == 0


def test_stopping_one_that_does_not_run_lets_the_next_in_line_go_on() -> None:
    s = scheduler(10)
    leased(s, "a", 6)
    ask(s, 1, "b", 8)
    ask(s, 2, "c", 4)
    effects = s.retire("b", 1.0)
    assert refused(effects[:1]) == [(1, Draining)]
    assert effects[1:] == [Start("c")]


# --- pins -------------------------------------------------------------------------------------------


def test_what_is_pinned_is_not_evicted() -> None:
    s = scheduler(10)
    idle(s, "a", 4, now=1.0)
    idle(s, "b", 4, now=2.0)
    s.pin("a")
    assert ask(s, 1, "c", 4, now=3.0) == [evicted("b", by="c")]


def test_what_the_pinned_leave_over_is_all_there_is() -> None:
    s = scheduler(10)
    idle(s, "a", 4)
    s.pin("a")
    (refuse,) = ask(s, 1, "b", 7)
    assert isinstance(refuse, Refuse) and isinstance(refuse.error, DoesNotFit)
    assert "needs 7 B on host, where 6 B are free, 4 B are pinned" in refuse.error.message


def test_when_all_places_are_pinned_nothing_else_can_start() -> None:
    s = scheduler(100, max_models=1)
    idle(s, "a", 4)
    s.pin("a")
    (refuse,) = ask(s, 1, "b", 4)
    assert isinstance(refuse, Refuse) and isinstance(refuse.error, DoesNotFit)
    assert refuse.error.message == "all 1 places are held by pinned models"


def test_what_is_pinned_while_somebody_waits_for_its_place_is_not_waited_for() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    ask(s, 1, "b", 6)
    s.pin("a")
    assert refused(s.release(a, 1.0)) == [(1, DoesNotFit)]


def test_a_pin_that_comes_too_late_does_not_hold_memory() -> None:
    """a is pinned again while it is being stopped; what it holds will come back all the same."""
    s = scheduler(10, max_models=1)
    idle(s, "a", 6)
    s.retire("a", 1.0)
    s.pin("a")
    assert ask(s, 1, "b", 6, now=2.0) == []
    assert s.gone("a", 3.0) == [Start("b")]


def test_a_pin_without_an_instance_holds_no_memory() -> None:
    s = scheduler(10, max_models=1)
    s.pin("a")
    assert ask(s, 1, "b", 6) == [Start("b")]


def test_unpinned_it_may_go() -> None:
    s = scheduler(10)
    idle(s, "a", 6)
    s.pin("a")
    assert refused(ask(s, 1, "b", 6)) == [(1, DoesNotFit)]
    assert s.unpin("a", 1.0) == []
    assert ask(s, 2, "b", 6, now=2.0) == [evicted("a", by="b")]


def test_unpinning_makes_room_for_who_waits() -> None:
    s = scheduler(10)
    idle(s, "a", 4)
    leased(s, "b", 5)
    s.pin("a")
    assert ask(s, 1, "c", 5) == []
    assert s.unpin("a", 1.0) == [evicted("a", by="c")]


def test_to_stop_is_to_unpin() -> None:
    s = scheduler(10)
    s.pin("a")
    idle(s, "a", 6)
    assert s.retire("a", 1.0) == [Stop("a", "stopped on request")]
    assert s.pinned == set()


# --- time to live -----------------------------------------------------------------------------------


def test_it_goes_when_idle_for_its_ttl_counted_from_the_last_lease() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6, now=0.0, ttl=5.0)
    assert s.wake_at(1.0) is None
    assert s.tick(100.0) == []
    assert s.release(a, 100.0) == []
    assert s.wake_at(100.0) == 105.0
    assert s.tick(104.9) == []
    assert s.tick(105.0) == [Stop("a", "idle")]
    assert s.wake_at(105.0) is None


def test_ttl_counts_from_ready_when_nobody_ever_used_it() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6, now=0.0, ttl=5.0)
    s.cancel(1, 1.0)
    assert s.wake_at(1.0) is None
    assert s.tick(50.0) == []
    assert s.ready("a", 60.0) == []
    assert s.wake_at(60.0) == 65.0
    assert s.tick(65.0) == [Stop("a", "idle")]


def test_ttl_zero_is_as_soon_as_idle() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6, ttl=0.0)
    another_lease(s, "a")
    assert s.release(a, 1.0) == []
    assert s.release(a, 2.0) == [Stop("a", "idle")]


def test_ttl_minus_one_is_never() -> None:
    s = scheduler(10)
    idle(s, "a", 6, ttl=-1.0)
    assert s.wake_at(0.0) is None
    assert s.tick(1e9) == []


def test_what_is_pinned_has_no_ttl_until_unpinned() -> None:
    s = scheduler(10)
    idle(s, "a", 6, ttl=5.0)
    s.pin("a")
    assert s.wake_at(1.0) is None
    assert s.tick(50.0) == []
    s.unpin("a", 51.0)
    assert s.wake_at(51.0) == 5.0
    assert s.tick(51.0) == [Stop("a", "idle")]


def test_what_is_waited_for_is_not_idle() -> None:
    """a is kept back for c, which needs b's place too; whoever waits for a meanwhile may yet get it."""
    s = scheduler(10, max_wait=10.0)
    idle(s, "a", 5, ttl=15.0)
    leased(s, "b", 5)
    ask(s, 1, "c", 10, now=0.0)
    s.tick(10.0)
    ask(s, 2, "a", 5, now=11.0)
    assert s.wake_at(11.0) is None
    assert s.tick(20.0) == []
    assert s.cancel(1, 21.0) == [Grant(2, "a")]


def test_idleness_makes_room_like_an_eviction() -> None:
    s = scheduler(10)
    idle(s, "a", 5, ttl=5.0)
    leased(s, "b", 5)
    assert ask(s, 1, "c", 10, now=0.0) == []
    assert s.tick(5.0) == [Stop("a", "idle")]


def test_the_alarm_is_set_for_whatever_comes_first() -> None:
    s = scheduler(10, max_wait=10.0)
    assert s.wake_at(0.0) is None
    leased(s, "a", 5)
    idle(s, "b", 2, now=0.0, ttl=30.0)
    assert s.wake_at(0.0) == 30.0
    ask(s, 1, "c", 9, now=1.0)
    ask(s, 2, "d", 9, now=2.0)
    assert s.wake_at(2.0) == 11.0
    s.tick(11.0)
    assert s.wake_at(11.0) == 12.0
    s.tick(12.0)
    assert s.wake_at(12.0) == 30.0


def test_no_alarm_is_set_for_who_waits_for_a_load() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    assert s.wake_at(0.0) is None


# --- the end of a process ---------------------------------------------------------------------------


def test_with_an_error_its_waiters_are_told() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    ask(s, 2, "a", 6)
    error = LoadFailed("no such file")
    assert s.gone("a", 1.0, error) == [Refuse(1, error), Refuse(2, error)]
    assert s.residents == {}
    assert ask(s, 3, "a", 6, now=2.0) == [Start("a")]


def test_without_an_error_it_is_started_anew_for_its_waiters() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    assert s.gone("a", 1.0) == [Start("a")]
    assert s.ready("a", 2.0) == [Grant(1, "a")]


def test_without_waiters_it_stays_gone() -> None:
    s = scheduler(10)
    leased(s, "a", 6)
    assert s.gone("a", 1.0) == []


def test_a_failure_makes_way_for_the_next_in_line() -> None:
    s = scheduler(10)
    ask(s, 1, "a", 6)
    ask(s, 2, "b", 6)
    error = LoadFailed("no such file")
    assert s.gone("a", 1.0, error) == [Refuse(1, error), Start("b")]


def test_a_lease_of_a_past_life_does_not_count_on_the_next() -> None:
    s = scheduler(10)
    past = leased(s, "a", 6)
    another_lease(s, "a")
    s.retire("a", 1.0)
    s.gone("a", 2.0)
    present = leased(s, "a", 6, now=3.0, ttl=0.0)
    assert s.release(past, 4.0) == []
    assert s.release(past, 5.0) == []
    assert present.leases == 1
    assert s.residents == {"a": present}
    assert s.release(present, 6.0) == [Stop("a", "idle")]


def test_the_latest_need_and_ttl_are_those_it_is_started_with() -> None:
    s = scheduler(10)
    a = leased(s, "a", 6)
    ask(s, 1, "b", 6, ttl=-1.0)
    ask(s, 2, "b", 4, ttl=7.0)
    assert s.release(a, 1.0) == [Start("b")]
    assert (s.residents["b"].need, s.residents["b"].ttl) == ({"host": 4}, 7.0)
