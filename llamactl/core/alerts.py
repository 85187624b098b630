"""Values that are beyond a limit, and have been for a while.

A value has to be beyond its limit for some time before that is told, and well within it for as long before it is
told that it is over: one that goes up and down around the limit is one alert, or none.
"""

from collections.abc import Iterable, Mapping

import msgspec

from llamactl.core.events import AlertCleared, AlertRaised


class Rule(msgspec.Struct, frozen=True):
    """For the series of this name, and those of each device of it (`gpu_usage` is that of `gpu_usage:0`, too).

    Above `limit` for `hold` seconds it is raised; below `limit - margin` for as long, it is cleared.
    """

    series: str
    limit: float
    margin: float = 0.0
    hold: float = 0.0
    unit: str = ""

    def covers(self, series: str) -> bool:
        return series.partition(":")[0] == self.series


class Usual(msgspec.Struct, frozen=True):
    """Limits where nobody sets others: percent, degrees Celsius, watts."""

    cpu: float = 90.0
    memory: float = 85.0
    disk: float = 95.0
    gpu: float = 90.0
    gpu_temperature: float = 85.0
    gpu_memory: float = 90.0
    gpu_power: float = 300.0


USUAL = Usual()


class Standing(msgspec.Struct, frozen=True):
    """Of one series: is it raised, since when, and since when is it on the other side of where that changes?"""

    rule: Rule
    raised: float | None = None
    turning: float | None = None


State = Mapping[str, Standing]
Told = AlertRaised | AlertCleared


def judge(
    rules: Iterable[Rule], state: State, values: Mapping[str, float | None], now: float
) -> tuple[State, list[Told]]:
    """The state after these values, measured at `now` (seconds on any clock), and what is to be told.

    What is not among the values, or None, is not measured: its alert is cleared, and so is one without a rule.
    """
    after: dict[str, Standing] = {}
    told: list[Told] = []
    rules = list(rules)
    for series, value in values.items():
        rule = next((rule for rule in rules if rule.covers(series)), None)
        if rule is None or value is None:
            continue
        before = state.get(series, Standing(rule))
        standing = _turned(msgspec.structs.replace(before, rule=rule), value, now)
        after[series] = standing
        if before.raised is None and standing.raised is not None:
            told.append(AlertRaised(series, value, rule.limit, rule.unit))
        elif before.raised is not None and standing.raised is None:
            told.append(AlertCleared(series, value, rule.limit, rule.unit, now - before.raised))
    for series, standing in state.items():
        if standing.raised is not None and series not in after:
            rule = standing.rule
            told.append(AlertCleared(series, None, rule.limit, rule.unit, now - standing.raised))
    return after, told


def _turned(standing: Standing, value: float, now: float) -> Standing:
    rule, raised = standing.rule, standing.raised
    turns = value > rule.limit if raised is None else value < rule.limit - rule.margin
    if not turns:
        return Standing(rule, raised)
    turning = now if standing.turning is None else standing.turning
    if now - turning < rule.hold:
        return Standing(rule, raised, turning)
    return Standing(rule, now if raised is None else None)
