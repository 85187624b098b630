"""What is written down of every llama-server, so that a daemon that comes later finds it.

A record lies beside the socket, `3f9c….json` by `3f9c….sock`. It is there before the process is, without its
identity: a daemon that is killed in between leaves a record whose process is found by its mark. The names are
random and never used twice, so that nothing is taken for something else.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from llamactl.llamaserver.identity import Identity


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one llama-server.

    `path` is the model's file, `settings` a digest of what it was started with, `build` that of the engine (`locate`).
    `run_file` is what it writes to, from byte `begins` on. `process` is None until it is spawned, `executable` empty
    and `served` None until it first served. `launched` and `served` are seconds on the monotonic clock, which runs on
    from one process to the next.
    `unwanted`: it was told to end.
    """

    model: str
    path: str
    endpoint: str
    run_file: str
    begins: int
    launched: float
    settings: str = ""
    build: str = ""
    process: Identity | None = None
    executable: str = ""
    served: float | None = None
    unwanted: bool = False

    @property
    def place(self) -> Path:
        return place_of(self.endpoint)


def place_of(endpoint: str) -> Path:
    """Where the record of what listens there lies."""
    return Path(endpoint).with_suffix(".json")


def write(record: Record) -> None:
    """Whole or not at all. Raises `OSError`. It takes 0.1 ms: the runtime directory is in memory."""
    new = record.place.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(msgspec.json.encode(record))
    new.replace(record.place)


def remove(endpoint: str) -> None:
    """The record and the socket, as far as they are there."""
    for path in (Path(endpoint), place_of(endpoint)):
        with suppress(OSError):
            path.unlink()


def read(directory: Path) -> list[Record]:
    """All in `directory` that can be understood."""
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            record = None
        if record is not None and record.place == path:
            found.append(record)
    return found
