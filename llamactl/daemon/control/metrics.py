"""What was measured."""

import time

import anyio.to_thread

from llamactl.core.errors import BadRequest, NotRunning
from llamactl.core.sample import Sample
from llamactl.core.series import Point
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.reload import Current
from llamactl.metrics.prometheus import Prometheus
from llamactl.metrics.sampler import Sampler
from llamactl.rpc import calls
from llamactl.store import Samples

KINDS = ("", "host", "gpu", "model")


class MetricCalls:
    """`metrics.…`"""

    def __init__(self, config: Current, sampler: Sampler, samples: Samples, prometheus: Prometheus) -> None:
        self._config = config
        self._sampler = sampler
        self._samples = samples
        self._prometheus = prometheus
        self.handlers: Handlers = {
            calls.ShowMetrics: self._show,
            calls.ShowHistory: self._history,
            calls.ExportMetrics: self._export,
        }

    async def _show(self, _: calls.ShowMetrics) -> Sample:
        if self._sampler.latest is None:
            raise NotRunning("nothing has been measured yet", "llamactl daemon status", retry_after=1.0)
        return self._sampler.latest

    async def _history(self, call: calls.ShowHistory) -> calls.History:
        if call.kind not in KINDS:
            raise BadRequest(f"there are no series of a {call.kind!r}", "one of host, gpu, model")
        if not call.since > 0 or (call.step is not None and not call.step > 0):
            raise BadRequest("since and step are more than 0 seconds", "llamactl metrics history --since 1h --step 1m")
        end = time.time() if call.until is None else call.until
        start = end - call.since
        return await anyio.to_thread.run_sync(self._read, call, start, end)

    def _read(self, call: calls.ShowHistory, start: float, end: float) -> calls.History:
        """In a thread: of a day it takes some 10 ms."""
        of = (call.kind, call.name) if call.name else call.kind or None
        wanted = frozenset(call.metrics)
        asked = None if call.step is None else round(call.step * 1000)
        step, series = self._samples.history(max(0, round(start * 1000)), round(end * 1000) + 1, asked, of)

        def rows(points: list[Point]) -> list[calls.PointRow]:
            if not wanted:
                return [calls.PointRow(point.at / 1000, point.values) for point in points]
            return [
                calls.PointRow(point.at / 1000, values)
                for point in points
                if (values := {name: point.values[name] for name in point.values if name in wanted})
            ]

        return calls.History(
            start=start,
            end=end,
            step=step / 1000,
            interval=self._config().metrics.interval,
            series=[
                calls.SeriesRow(kind=kind, name=name, points=shown)
                for (kind, name), points in sorted(series.items())
                if (shown := rows(points))
            ],
        )

    async def _export(self, _: calls.ExportMetrics) -> str:
        return await anyio.to_thread.run_sync(self._prometheus.text)
