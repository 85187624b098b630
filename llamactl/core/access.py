"""Who may do what: scopes, keys, and callers.

A key is given out once, as the text `llk_<id>_<secret>`; what is kept of it is its id and the sha256 of its secret.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from llamactl.core.errors import BadRequest, Forbidden, Unauthorized

Scope = Literal["infer", "observe", "control", "admin"]
SCOPES: tuple[Scope, ...] = ("infer", "observe", "control", "admin")
"""Each allows what those before it allow, too."""

Needed = Scope | Literal[""]
"""What a request takes; empty: nothing, it is for everybody."""

Wait = Literal["", "comments", "reasoning", "space", "none"]
"""How who waits for a model is told so, unless a request says it itself; empty: as everybody is."""

TOKEN = "jwt:"
"""What the id begins with of who has shown a token; no key's does."""

_TEXT = re.compile(r"llk_([a-z0-9]{4,32})_([A-Za-z0-9_-]{16,128})")


class Caller(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asks, and what they may. `key` is the id of the key, empty for who has none.

    `scope` is the highest that they have. `models` are globs, None for all of them; `rate` requests per minute and
    `parallel` requests at once, 0 for no limit. `priority`: who waits goes before those with a lower one.
    `wait`: how they are told that they wait. `until`: when what they have shown comes to its end, in seconds since the
    epoch, 0 for never.
    """

    key: str = ""
    name: str = ""
    scope: Needed = ""
    models: tuple[str, ...] | None = None
    rate: float = 0.0
    parallel: int = 0
    priority: int = 0
    wait: Wait = ""
    until: float = 0.0

    def may(self, scope: Needed) -> bool:
        return RANK[self.scope] >= RANK[scope]

    def uses(self, model: str) -> bool:
        return matches(self.models, model)

    def demand(self, scope: Needed) -> None:
        """Raises `Unauthorized` for who has shown no key, `Forbidden` for who has one that is not enough."""
        if self.may(scope):
            return
        if not self.key:
            raise Unauthorized(f"this takes a key with the scope {scope}", f"llamactl keys create NAME --scope {scope}")
        raise Forbidden(
            f"this takes the scope {scope}, and the key {self.name} has {self.scope or 'none'}",
            f"llamactl keys create NAME --scope {scope}",
        )

    def demand_model(self, model: str) -> None:
        """Raises `Forbidden` if the key is for other models."""
        if not self.uses(model):
            raise Forbidden(
                f"the key {self.name} is not for the model {model}", f"llamactl keys create NAME --model {model}"
            )


def matches(globs: tuple[str, ...] | None, model: str) -> bool:
    """None is all of them."""
    return globs is None or any(fnmatchcase(model, glob) for glob in globs)


RANK: dict[str, int] = {"": 0, **{scope: rank for rank, scope in enumerate(SCOPES, 1)}}


def highest(scopes: Iterable[str]) -> Needed:
    """Of those that are scopes."""
    return max((scope for scope in SCOPES if scope in frozenset(scopes)), key=RANK.__getitem__, default="")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key. `digest` is the sha256 of its secret, in hex; times are seconds since the epoch."""

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...] = ("infer",)
    models: tuple[str, ...] | None = None
    expires: float | None = None
    rate: float = 0.0
    parallel: int = 0
    priority: int = 0
    wait: Wait = ""
    created: float = 0.0
    last_used: float | None = None
    revoked: float | None = None

    def caller(self) -> Caller:
        return Caller(
            self.id,
            self.name,
            highest(self.scopes),
            self.models,
            self.rate,
            self.parallel,
            self.priority,
            self.wait,
            self.expires or 0.0,
        )


class KeyText(NamedTuple):
    id: str
    secret: str

    def __str__(self) -> str:
        return f"llk_{self.id}_{self.secret}"


def read_key(text: str) -> KeyText | None:
    """None for what does not look like a key of ours."""
    match = _TEXT.fullmatch(text)
    return None if match is None else KeyText(*match.groups())


def checked(key: Key, now: float) -> Key:
    """The same. Raises `BadRequest` for one that nobody could use."""
    if not key.name.strip() or len(key.name) > 100 or not key.name.isprintable():
        raise BadRequest(f"not a name for a key: {key.name!r}", "1 to 100 printable characters")
    if not key.scopes:
        raise BadRequest("a key without a scope", f"one of {', '.join(SCOPES)}")
    if key.expires is not None and key.expires <= now:
        raise BadRequest("the key would have expired already", "give a time that is to come, like 30d")
    if key.models is not None and not all(key.models):
        raise BadRequest("a model without a name", "leave it out for all models")
    if key.rate < 0 or key.parallel < 0:
        raise BadRequest("a limit cannot be negative", "0 is no limit")
    return key


def shown(credential: bytes) -> str:
    """The token in a value of `Authorization` or `x-api-key`."""
    scheme, _, value = credential.partition(b" ")
    return (value if scheme.lower() == b"bearer" else credential).strip().decode("latin-1")
