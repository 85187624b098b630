"""Bare `llamactl`: a short status."""

import msgspec

from llamactl.cli import instances, render
from llamactl.cli.session import session
from llamactl.core.errors import Unreachable
from llamactl.rpc.calls import InstanceRow, ListInstances, Status


class Summary(msgspec.Struct):
    """`models` counts the catalogue, `instances` are those that run."""

    running: bool = False
    version: str | None = None
    http: list[str] = []
    models: int | None = None
    instances: list[InstanceRow] = []


def show() -> None:
    try:
        with session.client() as client:
            daemon_status = client.call(Status())
            running = client.call(ListInstances())
    except Unreachable:
        if session.json:
            render.data("summary", Summary())
            return
        if session.output == "name":
            return
        render.text("No daemon is running.")
        render.text("  llamactl quickstart      engine, model, daemon, answer: all in one")
        render.text("  llamactl daemon start    only the daemon")
        render.text("  llamactl --help          all commands")
        return
    if session.json:
        told = Summary(True, daemon_status.version, daemon_status.http, daemon_status.models, running)
        render.data("summary", told)
        return
    if session.output != "name":
        catalogue = f"{render.count(daemon_status.models, 'model')} in the catalogue"
        render.text(f"llamactl {daemon_status.version} on {', '.join(daemon_status.http)}, {catalogue}")
    instances.show(running)
