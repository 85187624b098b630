"""What there is to see, as Prometheus reads it. Its library is loaded when somebody asks for the first time.

Names follow its conventions: ratios and not percent, seconds, bytes. What llama-servers count themselves is passed on
under its own names, with a label for the model.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from llamactl import __version__
from llamactl.core.requests import ModelRequest
from llamactl.core.sample import Sample

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_RATES = (1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 1000)

HISTOGRAMS: dict[str, tuple[str, tuple[float, ...], Callable[[ModelRequest], float | None]]] = {
    "llamactl_request_queue_seconds": ("From a request until its turn.", _SECONDS, lambda row: row.queued),
    "llamactl_request_load_seconds": (
        "Spent on loading its model, where it had to.",
        _SECONDS,
        lambda row: row.loading or None,
    ),
    "llamactl_time_to_first_token_seconds": (
        "From a request to the first byte of its answer.",
        _SECONDS,
        lambda row: row.first,
    ),
    "llamactl_generation_tokens_per_second": (
        "Tokens a second, as the llama-server says.",
        _RATES,
        lambda row: row.generation_rate,
    ),
    "llamactl_request_duration_seconds": (
        "From a request to the end of its answer.",
        _SECONDS,
        lambda row: row.duration,
    ),
}
"""What is observed of each request that has ended: its text, its buckets, where it stands."""

_TOKENS = {"prompt": "prompt_tokens", "cached": "cached_tokens", "generated": "generated_tokens"}


class _Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Each holds those below it, too."""
        return list(zip([*map(str, map(float, self.bounds)), "+Inf"], accumulate(self.counts), strict=True))


class Prometheus:
    """`latest` is what was measured last, `bodies` what llama-servers said last, by model.

    `per_key`: requests and tokens are counted for each API key, too.
    """

    def __init__(self, latest: Callable[[], Sample | None], bodies: Callable[[], Mapping[str, bytes]]) -> None:
        self._latest = latest
        self._bodies = bodies
        self._histograms: dict[tuple[str, str], _Histogram] = {}
        self._requests: dict[tuple[str, ...], int] = {}
        self._tokens: dict[tuple[str, ...], int] = {}
        self.per_key = False

    def observe(self, rows: Iterable[ModelRequest]) -> None:
        """Requests that have ended."""
        for row in rows:
            for name, (_, bounds, of) in HISTOGRAMS.items():
                value = of(row)
                if value is not None:
                    histogram = self._histograms.get((name, row.model))
                    if histogram is None:
                        histogram = self._histograms[name, row.model] = _Histogram(bounds)
                    histogram.observe(value)
            key = row.key if self.per_key else ""
            count(self._requests, (row.model, key, str(row.status or ""), row.error), 1)
            for kind, field in _TOKENS.items():
                count(self._tokens, (row.model, key, kind), getattr(row, field) or 0)

    def text(self) -> str:
        """In Prometheus' text format. It takes some milliseconds, and may be called in any thread."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> "Iterator[Metric]":
        """What `CollectorRegistry` asks for."""
        from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, InfoMetricFamily

        yield InfoMetricFamily("llamactl_build", "This daemon.", {"version": __version__})
        if (sample := self._latest()) is not None:
            yield from _host(sample)
            yield from _gpus(sample)
            yield from _models(sample)
        yield from _passed_on(self._bodies())
        for name, (told, _, _) in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, told, labels=["model"])
            for (of, model), found in list(self._histograms.items()):
                if of == name:
                    histogram.add_metric([model], found.buckets(), found.sum)
            yield histogram
        labels = ["model", "key", "status", "error"]
        requests = CounterMetricFamily("llamactl_requests", "Requests that have ended.", labels=labels)
        for values, number in list(self._requests.items()):
            requests.add_metric(values, number)
        yield requests
        tokens = CounterMetricFamily("llamactl_tokens", "Tokens of answers.", labels=["model", "key", "kind"])
        for values, number in list(self._tokens.items()):
            tokens.add_metric(values, number)
        yield tokens


def count(into: dict[tuple[str, ...], int], key: tuple[str, ...], number: int) -> None:
    into[key] = into.get(key, 0) + number


Rows = Iterable[tuple[tuple[str, ...], float | None]]


def _gauge(name: str, told: str, labels: Iterable[str], rows: Rows) -> "Iterator[Metric]":
    """Nothing, where nothing is known."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    gauge = GaugeMetricFamily(f"llamactl_{name}", told, labels=list(labels))
    for values, number in rows:
        if number is not None:
            gauge.add_metric(values, number)
    if gauge.samples:
        yield gauge


def _host(sample: Sample) -> "Iterator[Metric]":
    host = sample.host
    for name, told, value in (
        ("sample_timestamp_seconds", "When this was measured.", sample.at / 1000),
        ("uptime_seconds", "Of the daemon.", sample.uptime),
        ("models_active", "Models that serve.", sample.active_models),
        ("requests_per_minute", "Requests of the last minute.", sample.requests_per_minute),
        ("cpu_usage_ratio", "Of all processors.", _ratio(host.cpu)),
        ("memory_total_bytes", "Of the machine.", host.memory_total),
        ("memory_available_bytes", "To be had without swapping.", host.memory_available),
        ("swap_total_bytes", "Of the machine.", host.swap_total),
        ("swap_used_bytes", "Of the machine.", host.swap_used),
        ("network_receive_bytes_per_second", "Of all interfaces but the loopback.", host.received),
        ("network_transmit_bytes_per_second", "Of all interfaces but the loopback.", host.sent),
    ):
        yield from _gauge(name, told, (), [((), value)])
    cores = [((str(number),), _ratio(usage)) for number, usage in enumerate(host.cores)]
    yield from _gauge("cpu_core_usage_ratio", "Of each processor.", ["core"], cores)
    loads = zip(("1", "5", "15"), host.load or (), strict=False)
    yield from _gauge("load", "Who wants a processor.", ["minutes"], [((of,), load) for of, load in loads])
    for name in ("total", "used", "free"):
        disks = [((disk.path,), float(getattr(disk, name))) for disk in host.disks]
        yield from _gauge(f"disk_{name}_bytes", "Of the file system.", ["path"], disks)


def _gpus(sample: Sample) -> "Iterator[Metric]":
    for name, told, field, factor in (
        ("usage_ratio", "While something ran on it.", "usage", 0.01),
        ("memory_total_bytes", "Of the GPU.", "memory_total", 1),
        ("memory_used_bytes", "Of the GPU.", "memory_used", 1),
        ("temperature_celsius", "Of the GPU.", "temperature", 1),
        ("power_watts", "Drawn.", "power", 1),
        ("power_limit_watts", "That it keeps to.", "power_limit", 1),
        ("clock_hertz", "Of its processors.", "clock", 1e6),
        ("memory_clock_hertz", "Of its memory.", "memory_clock", 1e6),
    ):
        rows: Rows = [
            ((gpu.id, gpu.device, gpu.name), None if (value := getattr(gpu, field)) is None else value * factor)
            for gpu in sample.gpus
        ]
        yield from _gauge(f"gpu_{name}", told, ["gpu", "device", "name"], rows)


def _models(sample: Sample) -> "Iterator[Metric]":
    for name, told, field, factor in (
        ("cpu_usage_ratio", "Of one processor.", "cpu", 0.01),
        ("resident_memory_bytes", "Of its llama-server, mapped files included.", "memory", 1),
        ("threads", "Of its llama-server.", "threads", 1),
        ("connections", "To its llama-server.", "connections", 1),
        ("requests_processing", "That its llama-server works at.", "processing", 1),
        ("requests_deferred", "That wait in its llama-server.", "deferred", 1),
        ("tokens_per_second", "As its clients see them, now.", "live", 1),
    ):
        rows: Rows = [
            ((one.model,), None if (value := getattr(one, field)) is None else value * factor) for one in sample.models
        ]
        yield from _gauge(f"model_{name}", told, ["model"], rows)
    held: Rows = [((one.model, gpu), size) for one in sample.models for gpu, size in one.gpu_memory.items()]
    yield from _gauge("model_gpu_memory_bytes", "That it has of each GPU.", ["model", "gpu"], held)


def _passed_on(bodies: Mapping[str, bytes]) -> "Iterator[Metric]":
    from prometheus_client.parser import text_string_to_metric_families

    families: dict[str, Metric] = {}
    for model, body in sorted(bodies.items()):
        for family in text_string_to_metric_families(body.decode(errors="replace")):
            known = families.setdefault(family.name, family)
            if known is family:
                samples, family.samples = family.samples, []
            else:
                samples = family.samples
            for one in samples:
                known.add_sample(one.name, {"model": model, **one.labels}, one.value)
    yield from families.values()


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
