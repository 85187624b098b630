"""A request's way to a model that does not serve at this moment; or no more, then once again."""

import logging
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from llamactl.core.errors import LlamactlError, UpstreamDied
from llamactl.core.model import Model
from llamactl.proxy import failures
from llamactl.proxy.request import Request
from llamactl.proxy.waiting import Waiting, way
from llamactl.supervisor import Lease

if TYPE_CHECKING:
    from llamactl.proxy.connection import Connection

log = logging.getLogger(__name__)

MOURNED = 2.0
"""Seconds that a llama-server which hung up is given to be gone; then it has not died."""


async def seek(client: "Connection", request: Request, model: Model) -> None:
    """Wait for a lease, and tell the client meanwhile; then the request is sent, or refused."""
    door = client.door
    usual, priority = ("", 0) if client.caller is None else (client.caller.wait, client.caller.priority)
    if client.waiting is None and (told := way(request, usual)):
        client.waiting = Waiting(client, request, model.name, told, door.supervisor)
    if client.waiting is not None:
        client.waiting.go_on()
    try:
        lease = await door.supervisor.lease(model, priority=priority)
    except LlamactlError as error:
        client.seeking = None
        if not client.gone:
            client.refuse(request, failures.with_lines(error, door.supervisor.last_lines(model.name)))
        return
    except Exception as error:  # a bug: logged here, answered as one
        log.exception("no lease on %s", model.name)
        client.seeking = None
        client.refuse(request, LlamactlError(f"internal error: {error!r}"))
        return
    client.seeking = None
    if client.waiting is not None:
        client.waiting.end()
    if client.gone:
        lease.release()
    else:
        if request.record is not None:
            request.record.leased = monotonic()
            request.record.loading = lease.loading(request.record.arrived)
        client.send(request, door.pool(lease.endpoint), lease)


async def mourn(client: "Connection", request: Request, lease: Lease, error: UpstreamDied, *, again: bool) -> None:
    """Find out whether its llama-server died, and of what; then ask a fresh one, once."""
    exit = await lease.fate(MOURNED)
    if exit is not None:
        error = failures.died(error, exit)
        if again:
            client.again = request
            with suppress(LlamactlError):  # what is wrong now was not when it was first asked
                await seek(client, request, client.door.model_for(request))
                return
    client.seeking = None
    client.refuse(request, error)
