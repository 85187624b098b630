"""Keys to the HTTP port."""

import msgspec

from llamactl.core.access import Scope, Wait
from llamactl.rpc.calls.call import Call


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it may be shown: without its secret. Limits of 0 are none; no `models` are all."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...] | None = None
    expires: float | None = None
    rate: float = 0.0
    parallel: int = 0
    priority: int = 0
    wait: Wait = ""
    created: float = 0.0
    last_used: float | None = None
    revoked: float | None = None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is what clients send. It is told this once: nobody can look it up later."""

    key: KeyRow
    text: str


class CreateKey(Call[NewKey], frozen=True):
    """A new key, which counts at once. `expires` is seconds since the epoch, `rate` requests a minute."""

    method = "keys.create"
    scope = "admin"
    name: str
    scopes: tuple[Scope, ...] = ("infer",)
    models: tuple[str, ...] | None = None
    expires: float | None = None
    rate: float = 0.0
    parallel: int = 0
    priority: int = 0
    wait: Wait = ""


class ListKeys(Call[list[KeyRow]], frozen=True):
    """The keys, the oldest first; with `all` those that were revoked, too."""

    method = "keys.list"
    scope = "admin"
    all: bool = False


class RevokeKey(Call[KeyRow], frozen=True):
    """A key counts no more, and what is under way with it ends. `id` may be its name, if no other has that."""

    method = "keys.revoke"
    scope = "admin"
    id: str


class RotateKey(Call[NewKey], frozen=True):
    """Another secret for a key; the old one counts no more, and what is under way with it ends."""

    method = "keys.rotate"
    scope = "admin"
    id: str
