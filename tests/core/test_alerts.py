"""When an alert is raised and when it is cleared."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.alerts import Rule, State, Told, judge
from llamactl.core.events import AlertCleared, AlertRaised

CPU = Rule("cpu_usage", 90.0, margin=5.0, hold=10.0, unit=" %")
RAISED, CLEARED = AlertRaised("cpu_usage", 95.0, 90.0, " %"), AlertCleared("cpu_usage", 80.0, 90.0, " %", 20.0)


def play(rules: list[Rule], *measured: tuple[float, Mapping[str, float | None]]) -> list[tuple[float, Told]]:
    state: State = {}
    told: list[tuple[float, Told]] = []
    for now, values in measured:
        state, new = judge(rules, state, values, now)
        told += [(now, each) for each in new]
    return told


def cpu(*measured: tuple[float, float | None], rule: Rule = CPU) -> list[tuple[float, Told]]:
    return play([rule], *((now, {"cpu_usage": value}) for now, value in measured))


def test_it_is_told_when_it_has_been_beyond_its_limit_for_a_while() -> None:
    assert cpu((0, 95), (9, 99)) == []
    assert cpu((0, 95), (9, 99), (10, 95)) == [(10, RAISED)]
    assert cpu((0, 95), (10, 95), (20, 99), (99, 91)) == [(10, RAISED)], "once"


def test_a_moment_is_no_alert_and_the_limit_itself_is_not_beyond_it() -> None:
    assert cpu((0, 95), (5, 89), (10, 95), (19, 95)) == []
    assert cpu((0, 90), (10, 90), (20, 90)) == []


def test_it_is_over_when_it_has_been_well_within_for_as_long() -> None:
    raised = ((0.0, 95.0), (10.0, 95.0))
    assert cpu(*raised, (20, 80), (29, 80)) == [(10, RAISED)]
    assert cpu(*raised, (20, 80), (30, 80)) == [(10, RAISED), (30, CLEARED)]
    assert cpu(*raised, (20, 86), (40, 86), (60, 85)) == [(10, RAISED)], "not well within"
    assert cpu(*raised, (20, 80), (25, 86), (30, 80), (39, 80)) == [(10, RAISED)], "not for long enough"


def test_what_is_measured_no_more_is_no_alert() -> None:
    raised = (0.0, {"cpu_usage": 95.0}), (10.0, {"cpu_usage": 95.0})
    over = (12.0, AlertCleared("cpu_usage", None, 90.0, " %", 2.0))
    assert play([CPU], *raised, (12.0, {"cpu_usage": None})) == [(10, RAISED), over]
    assert play([CPU], *raised, (12.0, {})) == [(10, RAISED), over]


def test_a_rule_that_is_gone_clears_and_another_limit_counts_at_once() -> None:
    state, _ = judge([CPU], {}, {"cpu_usage": 95.0}, 0)
    state, _ = judge([CPU], state, {"cpu_usage": 95.0}, 10)
    assert judge([], state, {"cpu_usage": 95.0}, 12)[1] == [AlertCleared("cpu_usage", None, 90.0, " %", 2.0)]
    higher = Rule("cpu_usage", 99.0, hold=0.0)
    assert judge([higher], state, {"cpu_usage": 95.0}, 12)[1] == [AlertCleared("cpu_usage", 95.0, 99.0, "", 2.0)]


def test_each_device_has_an_alert_of_its_own() -> None:
    rule = Rule("gpu_usage", 90.0)
    values = {"gpu_usage:CUDA0": 95.0, "gpu_usage:CUDA1": 10.0, "gpu_usages": 95.0, "cpu_usage": 95.0}
    assert play([rule], (0, values)) == [(0, AlertRaised("gpu_usage:CUDA0", 95.0, 90.0))]


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 100) | st.none())))
def test_raised_and_cleared_take_turns(steps: list[tuple[float, float | None]]) -> None:
    now, measured = 0.0, []
    for pause, value in steps:
        now += pause
        measured.append((now, value))
    told = [type(each) for _, each in cpu(*measured)]
    assert told == [AlertRaised, AlertCleared] * (len(told) // 2) + [AlertRaised] * (len(told) % 2)
