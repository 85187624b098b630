"""The keys that the front door goes by, and when they were used."""

import logging
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from llamactl.config.sections import Access, Http
from llamactl.core.errors import BadRequest, StoreFailed
from llamactl.core.events import KeyMisused
from llamactl.proxy.access import Gate, Verifier
from llamactl.proxy.origins import Origins
from llamactl.store import Keys

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds after which it is written down when keys were used."""
LOOK = 1.0
"""Seconds after which it is told how they were misused."""


def tokens(access: Access) -> Verifier | None:
    """Raises `BadRequest` for files that cannot be used."""
    if access.jwt_secret is None and access.jwt_public_key is None:
        return None
    if access.jwt_secret is not None and access.jwt_public_key is not None:
        raise BadRequest(
            "both access.jwt_secret and access.jwt_public_key are set", "llamactl config unset one of them"
        )
    from llamactl.proxy.tokens import Tokens, public_key, secret  # 80 ms that only tokens need

    key, algorithm = secret(access.jwt_secret) if access.jwt_secret else public_key(access.jwt_public_key or "")
    return Tokens(
        key,
        algorithm,
        issuer=access.jwt_issuer,
        audience=access.jwt_audience,
        scopes=access.jwt_scopes,
        models=access.jwt_models,
        leeway=access.jwt_leeway,
    )


def origins(http: Http) -> Origins:
    return Origins(http.cors_origins, http.allowed_hosts, (http.host, *http.listen))


async def note_use(
    gate: Gate,
    keys: Keys,
    publish: Callable[[KeyMisused], object],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Write down when keys were used: seldom, for all of them together; tell of those that were misused.

    Until cancelled.
    """
    async with anyio.create_task_group() as group:
        group.start_soon(_tell, gate, publish)
        task_status.started()
        try:
            while True:
                await anyio.sleep(EVERY)
                await _write(gate, keys)
        finally:
            await _write(gate, keys)


async def _tell(gate: Gate, publish: Callable[[KeyMisused], object]) -> None:
    while True:
        for misused in gate.misuses.take():
            publish(misused)
        await anyio.sleep(LOOK)


async def _write(gate: Gate, keys: Keys) -> None:
    used, gate.used = gate.used, {}
    if used:
        try:
            with anyio.CancelScope(shield=True):  # what has been taken from the gate is nowhere else
                await keys.used(used)
        except StoreFailed as error:
            log.warning("it was not written down when keys were used: %s", error.message)
