"""The global flags of one invocation, and the daemon it talks to."""

import fnmatch
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import msgspec

from llamactl.config.sockets import control_sockets
from llamactl.core.errors import BadRequest, NotFound
from llamactl.rpc.calls import ListModels
from llamactl.rpc.client import Client

if TYPE_CHECKING:
    from llamactl.rpc.remote import Remote

Output = Literal["table", "wide", "json", "jsonl", "name"]


class Session(msgspec.Struct):
    """Set once, by the root command's flags; `began` is when, by `time.monotonic`."""

    host: str = ""
    output: Output = "table"
    quiet: bool = False
    verbose: bool = False
    color: Literal["auto", "always", "never"] = "auto"
    config: str = ""
    yes: bool = False
    no_input: bool = False
    began: float = msgspec.field(default_factory=time.monotonic)

    @property
    def machine(self) -> bool:
        """Is the output for a program?"""
        return self.json or self.output == "name"

    @property
    def json(self) -> bool:
        return self.output in ("json", "jsonl")

    @property
    def animated(self) -> bool:
        """May progress move on stderr?"""
        return sys.stderr.isatty() and not self.quiet and os.environ.get("TERM") != "dumb"

    @property
    def named(self) -> str:
        """Where -H or else the environment says that the daemon is; empty: where one would be here."""
        return self.host or os.environ.get("LLAMACTL_HOST", "")

    @property
    def url(self) -> str:
        """Of a daemon that is asked over HTTP, so that its files are not to be had; else empty.

        Raises `BadRequest` where what is named is no daemon's address: nothing here is meant then.
        """
        return self.named if self.named and not control_sockets(host=self.named) else ""

    def path(self, path: Path) -> str:
        """A path for the daemon, which sees it from elsewhere: as meant here or, over HTTP, as it is there."""
        if not self.url:
            return str(path.expanduser().absolute())
        if not path.is_absolute():
            raise BadRequest(f"{path} is to be found where {self.url} runs", "write it from / on")
        return str(path)

    def fine(self, stream: TextIO) -> bool:
        """May what is for people there have other characters than ASCII?

        Not where the locale is said to be C, whatever Python makes of that; one that is not said is a container's.
        """
        said = next((found for name in ("LC_ALL", "LC_CTYPE", "LANG") if (found := os.environ.get(name))), "")
        return said not in ("C", "POSIX") and (stream.encoding or "").lower().startswith("utf")

    def client(self, timeout: float | None = 10.0, told: Callable[[str], object] | None = None) -> "Client | Remote":
        """A connection to the daemon; `timeout` seconds for each answer, None for as long as it takes.

        `told` is given the state of a connection over HTTP when that changes; by default stderr has it.
        """
        paths = control_sockets(host=self.host)
        if not paths:
            from llamactl.rpc.remote import Remote  # 180 ms that only this needs

            return Remote(self.url, timeout, os.environ.get("LLAMACTL_API_KEY", ""), told or self._say)
        return Client(paths, timeout)

    def _say(self, state: str) -> None:
        if not self.quiet:
            print(f"llamactl: {state}", file=sys.stderr)  # as `render` does, which knows of this

    def resolved(self, name: str) -> str:
        """The name of the model that goes by this one, else the same."""
        with self.client() as client:
            rows = client.call(ListModels()) if name else []
        return next((row.name for row in rows if name in row.aliases), name)

    def model(self, pattern: str) -> str:
        """The one that a glob matches; what is no glob stays as it is. Raises `NotFound` or `BadRequest`."""
        names = self.models([pattern])
        if len(names) > 1:
            raise BadRequest(f"{pattern!r} matches {', '.join(names)}", "name one of them")
        return names[0]

    def models(self, patterns: list[str], *, everything: bool = False) -> list[str]:
        """Names of the catalogue, globs expanded; each pattern must match something."""
        if not everything and not any(set(pattern) & set("*?[") for pattern in patterns):
            return patterns  # the daemon knows aliases, and says what is like a name it does not know
        with self.client() as client:
            names = [row.name for row in client.call(ListModels())]
        if everything:
            return names
        chosen: dict[str, None] = {}
        for pattern in patterns:
            matching = fnmatch.filter(names, pattern) or ([] if set(pattern) & set("*?[") else [pattern])
            if not matching:
                raise NotFound(f"no model matches {pattern!r}", "llamactl models ls")
            chosen.update(dict.fromkeys(matching))
        return list(chosen)


session = Session()
