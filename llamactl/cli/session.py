"""The global flags of one invocation, and the daemon it talks to."""

import fnmatch
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from llamactl.config.sockets import control_sockets
from llamactl.core.errors import NotFound
from llamactl.rpc.calls import ListModels
from llamactl.rpc.client import Client

if TYPE_CHECKING:
    from llamactl.rpc.remote import Remote

Output = Literal["table", "wide", "json", "jsonl", "name"]


class Session(msgspec.Struct):
    """Set once, by the root command's flags."""

    host: str = ""
    output: Output = "table"
    quiet: bool = False
    verbose: bool = False
    color: Literal["auto", "always", "never"] = "auto"
    config: str = ""
    yes: bool = False

    @property
    def machine(self) -> bool:
        """Is the output for a program?"""
        return self.output in ("json", "jsonl", "name")

    @property
    def animated(self) -> bool:
        """May progress move on stderr?"""
        return sys.stderr.isatty() and not self.quiet and os.environ.get("TERM") != "dumb"

    @property
    def remote(self) -> bool:
        """Is the daemon asked over HTTP, perhaps on another machine?"""
        return not control_sockets(host=self.host)

    def client(self, timeout: float | None = 10.0, told: Callable[[str], object] | None = None) -> "Client | Remote":
        """A connection to the daemon; `timeout` seconds for each answer, None for as long as it takes.

        `told` is given the state of a connection over HTTP when that changes; by default stderr has it.
        """
        paths = control_sockets(host=self.host)
        if not paths:
            from llamactl.rpc.remote import Remote  # 180 ms that only this needs

            url = self.host or os.environ["LLAMACTL_HOST"]
            return Remote(url, timeout, os.environ.get("LLAMACTL_API_KEY", ""), told or self._say)
        return Client(paths, timeout)

    def _say(self, state: str) -> None:
        if not self.quiet:
            print(f"llamactl: {state}", file=sys.stderr)  # as `render` does, which knows of this

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
