"""`llamactl metrics …`: what was measured."""

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.chart import LEAST_HEIGHT, Line, chart
from llamactl.cli.session import session
from llamactl.core.errors import BadRequest
from llamactl.core.sample import Sample, share
from llamactl.core.units import parse_duration, show_duration, show_size, show_time
from llamactl.rpc.calls import ExportMetrics, History, SeriesRow, ShowHistory, ShowMetrics

app = typer.Typer(help="What was measured, now and before.", no_args_is_help=True)

Since = Annotated[str, typer.Option("--since", metavar="DURATION", help="How far to go back.")]
Step = Annotated[str | None, typer.Option("--step", metavar="DURATION", help="One row for each.")]
OfModel = Annotated[str, typer.Option("--model", metavar="NAME", help="Of a model.")]
OfGpu = Annotated[str, typer.Option("--gpu", metavar="NAME", help="Of a GPU, like CUDA0.")]
Metrics = Annotated[list[str] | None, typer.Option("--metric", metavar="NAME", help="Only this; may be given again.")]

MOST_HEIGHT = 12
"""Rows of a picture."""

_PERCENT = {"cpu_usage", "memory_usage", "disk_usage", "models_disk_usage", "swap_usage", "gpu_usage", "usage", "cpu"}
_SIZES = {"memory", "memory_used", "memory_total", "vram"}
_RATES = {"received", "sent"}
_USUAL = {
    "host": ("cpu_usage", "memory_usage", "gpu_usage", "gpu_memory_used", "tokens_per_second", "requests_per_minute"),
    "gpu": ("usage", "memory_used", "temperature", "power"),
    "model": ("cpu", "memory", "vram", "processing", "live", "predicted"),
}
"""What is shown where nobody says what."""


@app.command()
def show() -> None:
    """Show what was measured last."""
    with session.client() as client:
        sample = client.call(ShowMetrics())
    if render.for_program("metrics", as_data(sample)):
        return
    host = sample.host
    used = host.memory_total - host.memory_available
    load = "" if host.load is None else f", load {' '.join(f'{one:.2f}' for one in host.load)}"
    render.text(f"cpu       {_percent(host.cpu)} of {len(host.cores) or '?'} cores{load}")
    render.text(f"memory    {_percent(share(used, host.memory_total))} of {show_size(host.memory_total)}")
    if host.swap_total:
        render.text(f"swap      {_percent(share(host.swap_used, host.swap_total))} of {show_size(host.swap_total)}")
    for disk in host.disks:
        free = f"{show_size(disk.free)} free ({disk.path})"
        render.text(f"disk      {_percent(disk.usage)} of {show_size(disk.total)}, {free}")
    render.text(f"network   {_rate(host.received)} in, {_rate(host.sent)} out")
    render.text(f"requests  {_plain(sample.requests_per_minute)} in the last minute")
    _show_gpus(sample)
    _show_models(sample)


@app.command()
def history(
    since: Since = "10m",
    step: Step = None,
    model: OfModel = "",
    gpu: OfGpu = "",
    metric: Metrics = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw it.")] = False,
) -> None:
    """Show what was measured before. What is older is thinned out: a row is a mean then."""
    kind, name = _subject(model, gpu)
    wanted = tuple(metric or _USUAL[kind])
    found = _ask(since, step, kind, name, wanted)
    if session.json:
        _data(found)
        return
    series = next(iter(found.series), None)
    if series is None:
        render.note(f"nothing was measured of {name or 'it'} in this time")
        return
    there = [one for one in wanted if any(one in point.values for point in series.points)]
    if metric and (absent := [one for one in wanted if one not in there]):
        render.note(f"nothing is known of {', '.join(absent)}")
    if plot:
        _plot(found, series, there)
        return
    columns = {"TIME": [_local(point.at) for point in series.points]}
    for one in there:
        columns[one.upper().replace("_", " ")] = [
            _shower(one)(point.values[one].mean) if one in point.values else "-" for point in series.points
        ]
    render.table(columns)


@app.command()
def export(
    format: Annotated[Literal["csv", "json", "prom"], typer.Option(help="prom: what there is now.")] = "csv",
    since: Since = "10m",
    step: Step = None,
    model: OfModel = "",
    gpu: OfGpu = "",
    metric: Metrics = None,
) -> None:
    """Write what was measured, for other programs: all of it, if nobody says of what."""
    if format == "prom":
        with session.client() as client:
            render.text(client.call(ExportMetrics()), end="")
        return
    kind, name = _subject(model, gpu) if model or gpu else ("", "")
    found = _ask(since, step, kind, name, tuple(metric or ()))
    if format == "json":
        _data(found)
        return
    import csv
    from io import StringIO

    lines = StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(("time", "kind", "name", "metric", "min", "mean", "max", "count"))
    for series in found.series:
        for point in series.points:
            for one, value in point.values.items():
                table.writerow(
                    (show_time(point.at), series.kind, series.name, one, value.min, value.mean, value.max, value.count)
                )
    render.text(lines.getvalue(), end="")


@app.command()
def dashboard() -> None:
    """Write a dashboard for Grafana, to be imported there."""
    render.text(files("llamactl").joinpath("metrics/grafana.json").read_text(), end="")


def as_data(sample: Sample) -> dict[str, object]:
    return {**msgspec.structs.asdict(sample), "at": show_time(sample.at / 1000)}


def _subject(model: str, gpu: str) -> tuple[str, str]:
    if model and gpu:
        raise BadRequest("of a model or of a GPU, not of both", "llamactl metrics history --model NAME")
    return ("model", model) if model else ("gpu", gpu) if gpu else ("host", "")


def _ask(since: str, step: str | None, kind: str, name: str, metrics: tuple[str, ...]) -> History:
    back = parse_duration(since)
    each = None if step is None else parse_duration(step)
    with session.client() as client:
        return client.call(ShowHistory(back, step=each, kind=kind, name=name, metrics=metrics))


def _data(found: History) -> None:
    series: list[dict[str, Any]] = [
        {
            "kind": one.kind,
            "name": one.name,
            "points": [{"at": show_time(point.at), "values": point.values} for point in one.points],
        }
        for one in found.series
    ]
    times = {"start": show_time(found.start), "end": show_time(found.end)}
    render.data("history", {**times, "step": found.step, "interval": found.interval, "series": series})


def _show_gpus(sample: Sample) -> None:
    if not sample.gpus:
        return
    render.text("")
    gpus = sample.gpus
    render.table(
        {
            "GPU": [gpu.label for gpu in gpus],
            "NAME": [gpu.name for gpu in gpus],
            "USAGE": [_percent(gpu.usage) for gpu in gpus],
            "MEMORY": [f"{_size(gpu.memory_used)} of {_size(gpu.memory_total)}" for gpu in gpus],
            "°C": [_plain(gpu.temperature) for gpu in gpus],
            "WATTS": [f"{_plain(gpu.power)} of {_plain(gpu.power_limit)}" for gpu in gpus],
            "MHZ": [_plain(gpu.clock) for gpu in gpus],
        }
    )


def _show_models(sample: Sample) -> None:
    if not sample.models:
        return
    render.text("")
    models = sample.models
    render.table(
        {
            "MODEL": [one.model for one in models],
            "CPU": [_percent(one.cpu) for one in models],
            "MEMORY": [_size(one.memory) for one in models],
            "GPU MEMORY": [_size(sum(one.gpu_memory.values())) if one.gpu_memory else "-" for one in models],
            "THREADS": [_plain(one.threads) for one in models],
            "BUSY": [_plain(one.processing) for one in models],
            "DEFERRED": [_plain(one.deferred) for one in models],
            "TOKENS/S": [_plain(one.rate) for one in models],
        }
    )


def _plot(found: History, series: SeriesRow, metrics: list[str]) -> None:
    """One below the other, as many rows each as the terminal has for them; those that find no room are named."""
    size = shutil.get_terminal_size()
    room = max(1, (size.lines - 2) // (LEAST_HEIGHT + 1)) if sys.stdout.isatty() else len(metrics)
    if without := metrics[room:]:
        render.note(f"no room for {', '.join(without)}: --metric NAME")
        metrics = metrics[:room]
    rows = max(LEAST_HEIGHT, min(MOST_HEIGHT, (size.lines - 2) // max(1, len(metrics)) - 1))
    gap = 2.5 * (found.step or found.interval)
    far = found.end - found.start > 86400
    for metric in metrics:
        points = [(point.at, point.values[metric].mean) for point in series.points if metric in point.values]
        last = _shower(metric)(points[-1][1])
        render.text(f"{series.name or series.kind} {metric.replace('_', ' ')}: {last}")
        whole = (0.0, 100.0) if metric in _PERCENT and metric != "cpu" else None  # of a process it may be more
        line = Line(points, found.start, found.end, gap, whole)
        for text in chart(
            line, size.columns, rows, _shower(metric), _far if far else _local, braille=session.fine(sys.stdout)
        ):
            render.text(text)


def _shower(metric: str) -> Callable[[float | None], str]:
    if metric in _PERCENT:
        return _percent
    if metric in _SIZES:
        return _size
    if metric in _RATES:
        return _rate
    if metric in ("gpu_memory_used", "gpu_memory_total"):
        return lambda mebibytes: "-" if mebibytes is None else show_size(mebibytes * (1 << 20))
    if metric == "uptime":
        return lambda seconds: "-" if seconds is None else show_duration(seconds)
    return _plain


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def _size(value: float | None) -> str:
    return "-" if value is None else show_size(value)


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{show_size(value)}/s"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _local(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def _far(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%d %b %H:%M")
