"""What was measured."""

import msgspec

from llamactl.core.sample import Sample
from llamactl.core.series import Range
from llamactl.rpc.calls.call import Call


class PointRow(msgspec.Struct, frozen=True):
    """`values` are `[min, mean, max, count]`, by name, of what was measured from `at` on until a step later."""

    at: float
    values: dict[str, Range]


class SeriesRow(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is `host`, `gpu` or `model`; where nothing was measured there is no point."""

    kind: str
    name: str
    points: list[PointRow]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """`step` in seconds, which may be coarser than asked for, as what is old is thinned out; 0: as it was measured.

    `interval` is the time between two measurements now.
    """

    start: float
    end: float
    step: float
    interval: float
    series: list[SeriesRow]


class ShowMetrics(Call[Sample], frozen=True):
    """What was measured last: units are those of `core.sample`."""

    method = "metrics.show"
    scope = "observe"


class ShowHistory(Call[History], frozen=True):
    """Of the last `since` seconds, or of those before `until`. Of one `kind` and `name`, or of one kind, or of all;
    of the named `metrics`, or of all.
    """

    method = "metrics.history"
    scope = "observe"
    since: float = 600.0
    until: float | None = None
    step: float | None = None
    kind: str = ""
    name: str = ""
    metrics: tuple[str, ...] = ()


class ExportMetrics(Call[str], frozen=True):
    """All there is now, in Prometheus' text format."""

    method = "metrics.export"
    scope = "observe"
