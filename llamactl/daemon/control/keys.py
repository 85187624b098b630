"""Keys to the HTTP port: made, listed, changed and taken back. What is changed counts at once."""

import secrets
import time
from collections.abc import Callable
from hashlib import sha256

import msgspec

from llamactl.core.access import Key, KeyText, checked
from llamactl.core.errors import NotFound, Refused
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.keyring import Keyring
from llamactl.rpc import calls
from llamactl.rpc.calls import KeyRow, NewKey
from llamactl.store import Keys


class KeyCalls:
    """`keys.…`"""

    def __init__(self, keys: Keys, keyring: Keyring, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._keyring = keyring
        self._now = now
        self.handlers: Handlers = {
            calls.CreateKey: self._create,
            calls.ListKeys: self._list,
            calls.RevokeKey: self._revoke,
            calls.RotateKey: self._rotate,
        }

    async def _create(self, call: calls.CreateKey) -> NewKey:
        key = Key(id=secrets.token_hex(4), digest="", created=self._now(), **msgspec.structs.asdict(call))
        return self._with_secret(checked(key, self._now()))

    async def _list(self, call: calls.ListKeys) -> list[KeyRow]:
        return [self._row(key) for key in self._keys.all() if call.all or key.revoked is None]

    async def _revoke(self, call: calls.RevokeKey) -> KeyRow:
        key = msgspec.structs.replace(self._find(call.id), revoked=self._now())
        self._put(key)
        return self._row(key)

    async def _rotate(self, call: calls.RotateKey) -> NewKey:
        return self._with_secret(self._find(call.id))

    def _with_secret(self, key: Key) -> NewKey:
        text = KeyText(key.id, secrets.token_hex(24))
        key = msgspec.structs.replace(key, digest=sha256(text.secret.encode()).hexdigest())
        self._put(key)
        return NewKey(key=self._row(key), text=str(text))

    def _put(self, key: Key) -> None:
        self._keys.put(key)
        self._keyring.admit()

    def _find(self, name: str) -> Key:
        """By its id, or by its name."""
        keys = [key for key in self._keys.all() if key.revoked is None]
        found = [key for key in keys if key.id == name] or [key for key in keys if key.name == name]
        if not found:
            raise NotFound(f"no key has the id {name}", "llamactl keys ls")
        if len(found) > 1:
            raise Refused(f"{len(found)} keys are called {name}", "say which by its id: llamactl keys ls")
        return found[0]

    def _row(self, key: Key) -> KeyRow:
        row = msgspec.convert(key, KeyRow, from_attributes=True)
        return msgspec.structs.replace(row, last_used=self._keyring.last_used(key))
