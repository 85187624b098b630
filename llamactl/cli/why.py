"""Why a model is as it is: `why`."""

import time
from typing import Annotated, Any

import msgspec
import typer

from llamactl.cli import render
from llamactl.cli.session import session
from llamactl.core.exits import MEANING
from llamactl.core.units import show_duration, show_time
from llamactl.rpc.calls import ExitRow, Explanation, InstanceRow, WhyModel


def why(name: Annotated[str, typer.Argument(metavar="NAME", help="A model.")]) -> None:
    """Show why a model is as it is: how it ended, when it is started again, what it wrote last."""
    name = session.model(name)
    with session.client() as client:
        told = client.call(WhyModel(name))
    if render.for_program("why", _as_data(told), told.instance.name):
        return
    render.text(_state(told.instance, told.decision))
    if told.exits:
        render.text("")
        render.table(
            {
                "ENDED": [time.strftime("%F %T", time.localtime(row.at)) for row in told.exits],
                "WHILE": [row.state for row in told.exits],
                "CLASS": [row.kind for row in told.exits],
                "REASON": [_reason(row) for row in told.exits],
            }
        )
    if told.lines and any(row.kind != "asked" for row in told.exits):  # what it wrote to its end on request, logs have
        render.text(f"\n{told.log} ends with:")
        for line in told.lines:
            render.text(f"  {line}")


def _as_data(told: Explanation) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(told)
    for row in data["exits"]:
        row["at"] = show_time(row["at"])
    return data


def _state(row: InstanceRow, decision: str) -> str:
    parts = [f"{row.name} is {row.state}"]
    if row.age is not None:
        parts[0] += f" for {show_duration(row.age)}"
    if decision:
        parts.append(decision)
    if row.problem is not None:
        parts.append(row.problem.message)
    if row.wedged is not None:
        parts.append(f"nothing has moved for {show_duration(row.wedged)} though it has requests")
    if row.outdated:
        parts.append(f"started now it would have other {' and '.join(row.outdated)}: llamactl restart {row.name}")
    if row.restarts:
        parts.append(f"it was started again {render.count(row.restarts, 'time')} after it had died")
    if row.next_try is not None:
        parts.append(f"the next try is in {show_duration(row.next_try)}")
    return "\n  ".join(parts)


def _reason(row: ExitRow) -> str:
    if row.kind == "asked":
        return row.why or row.reason
    said = row.reason if row.kind in ("other", "signal") else f"{MEANING[row.kind]}: {row.reason}"
    return said if row.pause is None else f"{said}; started again after {row.pause:.1f} s"
