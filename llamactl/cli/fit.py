"""Memory: `fit`, `devices`."""

from typing import Annotated

import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.errors import from_problem
from llamactl.core.units import show_size
from llamactl.rpc.calls import FitModel, FitReport, ListDevices, SetModel

PATIENCE = 180.0
"""Seconds: llama-fit-params may look at several GPUs, twice."""


def fit(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    ctx: Annotated[int | None, typer.Option(metavar="N", help="With a context of so many tokens.")] = None,
    parallel: Annotated[int | None, typer.Option(metavar="N", help="With so many slots.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Set what is recommended.")] = False,
) -> None:
    """Show what memory a model needs, what is free, and what would be stopped for it."""
    name = session.model(name)
    with render.working("reckoning …"), session.client(PATIENCE) as client:
        report = client.call(FitModel(name, ctx, parallel))
    if not render.for_program("fit", report, report.model):
        _show(report)
    if report.problem is not None:
        if not session.json:
            render.failure(from_problem(report.problem))
        raise typer.Exit(report.problem.exit)
    if save and report.recommended:
        with session.client() as client:
            client.call(SetModel(name, set=report.recommended))
        render.note(f"{report.model} is changed")


def devices() -> None:
    """Show the host's memory and the GPUs that llama-server finds."""
    with session.client() as client:
        found = client.call(ListDevices())
    render.rows(
        ("devices", "device"),
        found,
        {
            "NAME": [row.name for row in found],
            "TOTAL": [show_size(row.total) for row in found],
            "FREE": [show_size(row.free) for row in found],
            "FOR MODELS": [show_size(row.budget) for row in found],
            "RESERVED": [show_size(row.reserved) for row in found],
            "MODELS": [", ".join(row.models) for row in found],
            "DESCRIPTION": [row.description for row in found],
        },
        wide={"DESCRIPTION"},
    )


def _show(report: FitReport) -> None:
    render.text(
        f"{report.model}: {report.context} tokens, {render.count(report.slots, 'slot')}, {_SAID[report.source]}"
    )
    render.text("")
    wide, found = session.output == "wide", report.devices
    kinds = [kind for kind in _KINDS if any(getattr(device.projected, kind) for device in found)]
    columns = {"DEVICE": [device.name for device in found]}
    for kind in kinds:
        if wide or kind not in _SMALL:
            columns[_KINDS[kind]] = [show_size(getattr(device.projected, kind)) for device in found]
    if not wide:  # else a line would be longer than a terminal
        columns["OTHER"] = [show_size(sum(getattr(one.projected, kind) for kind in _SMALL)) for one in found]
    columns["NEEDS"] = [show_size(device.need) for device in found]
    columns["FREE"] = [show_size(device.free) for device in found]
    if wide:
        columns["MEASURED"] = ["" if one.measured is None else show_size(one.measured) for one in found]
        columns["FOR MODELS"] = [show_size(device.budget) for device in found]
    render.table(columns)
    render.text("")
    for title, values in (("started with", report.added), ("recommended", report.recommended)):
        if values:
            render.text(f"{title}: " + " ".join(f"{name}={value}" for name, value in values.items()))
    if report.problem is None:
        evicted = f"once these are stopped: {', '.join(report.evicts)}" if report.evicts else "beside all that runs"
        render.text(f"it fits, {evicted}")


_KINDS = {
    "weights": "WEIGHTS",
    "kv": "KV",
    "state": "STATE",
    "compute": "COMPUTE",
    "output": "OUTPUT",
    "overhead": "OVERHEAD",
}

_SMALL = ("output", "overhead")

_SAID = {
    "measured": "as it was measured",
    "fit-params": "as llama-fit-params says",
    "arithmetic": "by arithmetic",
}
"""Where the need is from."""
