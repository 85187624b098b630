"""Gives the llama-servers that an earlier daemon left running to the supervisor, as far as they are of use."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from llamactl.catalogue import Catalogue
from llamactl.core.errors import NotFound
from llamactl.core.instance import Loading, Ready, Stopping
from llamactl.core.model import Model
from llamactl.llamaserver import adoption
from llamactl.llamaserver.adoption import Left
from llamactl.llamaserver.process import LlamaServer
from llamactl.llamaserver.records import Record
from llamactl.supervisor import Past, Supervisor
from llamactl.supervisor.runner import put_down

log = logging.getLogger(__name__)

SILENCE = 3.0
"""Seconds for one that has served and does not answer now; after that it is put down."""


async def adopt(
    sockets: Path,
    catalogue: Catalogue,
    supervisor: Supervisor,
    outdated: Callable[[Model, Record], tuple[str, ...]],
    load_timeout: float,
    group: TaskGroup,
) -> list[tuple[Model, LlamaServer]]:
    """Before the supervisor runs. `outdated` tells what would be another if the model were started now.

    What no model of the catalogue has a use for is put down in `group`. Returns those that serve, and are not outdated.
    """
    began, adopted, serving = time.monotonic(), set[str](), []
    for left in await adoption.find(sockets):
        record, server = left.server.record, left.server
        try:
            model: Model | None = catalogue.resolve(record.model)
        except NotFound:
            model = None
        who = f"the llama-server of {record.model or '?'} (pid {server.pid})"
        if model is None or model.name != record.model or model.name in adopted:
            log.warning("%s is of no use any more: stopping it", who)
            group.start_soon(_end, server)
            continue
        adopted.add(model.name)
        phase = _phase(left, model)
        why = "left by an earlier daemon"
        if isinstance(phase, Stopping):
            why = phase.why
        elif left.state == "gone":
            why = "it has ended while no daemon was there"
        elif others := outdated(model, record):
            why = f"{why}; if it were started now, it would have another {' and '.join(others)}"
        elif isinstance(phase, Ready):
            serving.append((model, server))
        log.info("%s: %s, %s", who, left.state, why)
        supervisor.adopt(model, server, phase, why, SILENCE if left.state == "silent" else load_timeout)
    if adopted:
        log.info("adopted %d in %.3f s", len(adopted), time.monotonic() - began)
    return serving


def remember(pasts: Mapping[str, msgspec.Raw], catalogue: Catalogue, supervisor: Supervisor) -> dict[str, Past]:
    """After `adopt`: what the daemon knew of its models before it executed itself anew."""
    remembered = {}
    for name, text in pasts.items():
        with suppress(msgspec.DecodeError, NotFound):
            past, model = msgspec.json.decode(text, type=Past), catalogue.resolve(name)
            if model.name == name:
                supervisor.remember(model, past)
                remembered[name] = past
    return remembered


def _phase(left: Left, model: Model) -> Loading | Ready | Stopping:
    record, pid = left.server.record, left.server.pid
    if record.unwanted:
        return Stopping(time.monotonic(), pid, "it had been told to stop")
    if record.path != model.path:
        return Stopping(time.monotonic(), pid, f"it serves {record.path}, and {model.name} is another file now")
    if record.served is None or left.state == "silent":
        return Loading(record.launched, pid)
    return Ready(record.served, pid, record.served - record.launched)


async def _end(server: LlamaServer) -> None:
    with anyio.CancelScope(shield=True):
        await put_down(server)
        server.close()
