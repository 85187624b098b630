"""Every key as people are told of it: what it is for, what may be written, what it is if nothing is written.

All of it is taken from `sections`; the example file and the manual are made from this.
"""

import ast
import inspect
from itertools import pairwise
from typing import Any

import msgspec

from llamactl.config import sections
from llamactl.config.changes import RESTART
from llamactl.config.sections import SECTIONS
from llamactl.config.values import expected, is_secret, parameter_of
from llamactl.config.written import toml


class Described(msgspec.Struct, frozen=True):
    """A key; `about` ends with a full stop."""

    section: str
    name: str
    kind: Any
    default: Any
    about: str

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def may_be(self) -> str:
        """`a duration like 15m, or seconds`."""
        return expected(self.kind)

    @property
    def written_default(self) -> str:
        """As it would stand in the file; for one that is not set, an empty text."""
        return toml(self.kind, self.default)

    @property
    def secret(self) -> bool:
        return is_secret(self.kind)

    @property
    def group(self) -> str:
        """That of a setting of llama-server; empty for all others."""
        parameter = parameter_of(self.kind)
        return parameter.group if parameter else ""

    @property
    def needs_restart(self) -> bool:
        return self.key in RESTART


def describe() -> list[Described]:
    """All of them, in the order of the file."""
    texts = _texts()
    return [
        Described(section, field.name, field.type, getattr(kind(), field.name), _about(field, kind, texts))
        for section, kind in SECTIONS.items()
        for field in msgspec.structs.fields(kind)
    ]


def _about(field: msgspec.structs.FieldInfo, kind: type, texts: dict[tuple[str, str], str]) -> str:
    parameter = parameter_of(field.type)
    if parameter is None:
        return texts.get((kind.__name__, field.name), "")
    return f"{parameter.help[0].upper()}{parameter.help[1:]}."


def about_section(section: str) -> str:
    return inspect.getdoc(SECTIONS[section]) or ""


def _texts() -> dict[tuple[str, str], str]:
    """What stands below each field, by class and name; Python itself forgets it."""
    found = {}
    for struct in ast.parse(inspect.getsource(sections)).body:
        if isinstance(struct, ast.ClassDef):
            for field, below in pairwise(struct.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[struct.name, name] = " ".join(text.split()).replace("None:", "not set:")
    return found
