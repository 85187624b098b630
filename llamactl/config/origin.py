"""Where a value comes from."""

from typing import Literal

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """`path` and `line` (counted from 1) of a file, or the `variable` in the environment."""

    source: Literal["default", "file", "environment"] = "default"
    path: str | None = None
    line: int | None = None
    variable: str | None = None

    @property
    def remedy(self) -> str:
        """What takes a variable out of the way."""
        return f"unset {self.variable}" if self.variable else ""

    def __str__(self) -> str:
        match self.source:
            case "file":
                return f"{self.path}, line {self.line}"
            case "environment":
                return f"{self.variable} in the environment"
            case _:
                return "default"


DEFAULT = Origin()
