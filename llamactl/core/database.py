"""What can be said of the database file: how it is, and what became of it."""

import msgspec


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a database is. Sizes in bytes: of the file, of the log beside it, of what is free inside.

    `version` is None where it cannot be told, `models` too. Sound is one without `problems`; `current` is the
    version that this llamactl writes: an older one is brought there when a daemon opens it.
    """

    path: str
    version: str | None
    current: str
    size: int
    wal_size: int
    free: int
    models: int | None
    problems: tuple[str, ...] = ()


class Vacuumed(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, without the log beside it.

    Not `complete` while a daemon uses it: then free pages go, and the others stay as they lie.
    """

    path: str
    before: int
    after: int
    complete: bool


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """`file` has all of `path`, in so many bytes."""

    path: str
    file: str
    size: int
