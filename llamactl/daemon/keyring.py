"""The keys that the front door goes by, and when they were used."""

import logging
from collections import deque
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from llamactl.config.sections import Access, Http
from llamactl.core.access import Caller, Key
from llamactl.core.errors import BadRequest, StoreFailed, Unauthorized
from llamactl.core.events import KeyMisused
from llamactl.proxy.access import Verifier
from llamactl.proxy.door import Door
from llamactl.proxy.leaving import dismiss
from llamactl.proxy.origins import Origins
from llamactl.store import Keys
from llamactl.web.guests import Guests

log = logging.getLogger(__name__)

Why = Callable[[Caller], Unauthorized | None]
"""What somebody is to be told who is to leave; None for everybody else."""

EVERY = 5.0
"""Seconds after which it is written down when keys were used."""
LOOK = 1.0
"""Seconds after which it is looked whose have expired, and told which were misused."""


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


class Keyring:
    """Says at the door which keys count, ends what is under way with those that cease to, tells of those that are
    misused, and writes down when they were used: seldom, for all of them together.
    """

    def __init__(
        self,
        keys: Keys,
        door: Door,
        guests: Guests,
        publish: Callable[[KeyMisused], object],
    ) -> None:
        self._keys = keys
        self._door = door
        self._guests = guests
        self._publish = publish
        self._leaving: deque[Why] = deque()
        self._news = anyio.Event()

    def admit(self) -> None:
        """Those that are kept now count, and no others."""
        if ended := self._door.gate.admit(self._keys.all()):
            self._dismiss(lambda caller: ended.get(caller.key))

    def last_used(self, key: Key) -> float | None:
        """In seconds since the epoch."""
        return self._door.gate.used.get(key.id, key.last_used)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._look)
            group.start_soon(self._see_off)
            task_status.started()
            try:
                while True:
                    await anyio.sleep(EVERY)
                    await self._note_use()
            finally:
                await self._note_use()

    def _dismiss(self, why: Why) -> None:
        dismiss(self._door, why, guests=False)
        self._leaving.append(why)
        self._news.set()

    async def _see_off(self) -> None:
        """Those at WebSockets are told first, and sent away then."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            while self._leaving:
                why = self._leaving.popleft()
                await self._guests.dismiss(why)
                dismiss(self._door, why, guests=True)

    async def _look(self) -> None:
        gate = self._door.gate
        while True:
            callers = [connection.caller for connection in self._door.connections if connection.caller is not None]
            if any(map(gate.expired, callers)):
                self._dismiss(gate.expired)
            for misused in gate.misuses.take():
                self._publish(misused)
            await anyio.sleep(LOOK)

    async def _note_use(self) -> None:
        gate = self._door.gate
        used, gate.used = gate.used, {}
        if used:
            try:
                with anyio.CancelScope(shield=True):  # what has been taken from the gate is nowhere else
                    await self._keys.used(used)
            except StoreFailed as error:
                log.warning("it was not written down when keys were used: %s", error.message)
