"""llamactl.toml(5): every section and key of the configuration."""

import ast
import inspect
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from llamactl.cli.documents.mdoc import example, items, page, text
from llamactl.config import sections, values
from llamactl.core.units import show_size

PACKAGE = Path(sections.__file__).parents[1]

KINDS: dict[Any, str] = {
    values.Duration: "duration",
    values.Idleness: "duration, or -1 for never",
    values.Size: "size",
    values.Rate: "rate",
    values.FilePath: "path",
    values.Program: "path or name of a program",
    values.Address: "address",
    values.Tier: "step:kept",
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
}

EXAMPLE = """\
[models]
directories = ["~/models", "/srv/models"]
default = "qwen3-8b-q4_k_m"

[llama_server]
ctx_size = 8192

[residency]
ttl = "30m"
memory = "24GiB"
"""


class Setting(msgspec.Struct, frozen=True):
    """A key of a section; `default` as it would be written, empty if it is not set."""

    section: str
    key: str
    kind: str
    default: str
    about: str
    used: bool


def read_settings() -> list[Setting]:
    about, used = _docstrings(), _used()
    return [
        Setting(
            section,
            field.name,
            _kind(field.type),
            _written(field.type, field.default if field.default_factory is msgspec.NODEFAULT else {}),
            about.get((kind.__name__, field.name), ""),
            (section, field.name) in used or (section == "llama_server" and (section, "settings") in used),
        )
        for section, kind in sections.SECTIONS.items()
        for field in msgspec.structs.fields(kind)
    ]


_ABOUT = """\
The daemon reads /etc/llamactl/config.toml, then config.toml in the directory llamactl of XDG_CONFIG_HOME (~/.config
where that is not set), which wins.
LLAMACTL_CONFIG or --config name another file instead of the second.
A variable LLAMACTL_<SECTION>_<KEY> wins over both; the parts of a list are separated by colons there.
A file with an unknown key, or a value that cannot be used, is refused with its line.
"""

_VALUES = """\
A duration is a number of seconds, or a text like 90s, 15m or 1h30m.
A size is a number of bytes, or a text like 12GiB or 500MB.
A rate is a number per minute, or a text like 5/s or 60/min.
A relative path begins at the directory of the file that it stands in.
"""

_UNUSED = "Keys that are marked as not used are read and checked already, and have no effect in this version."


def toml() -> str:
    settings = read_settings()
    body = [".Sh DESCRIPTION", *text(_ABOUT), ".Pp", *text(_VALUES), ".Pp", *text(_UNUSED), ".Sh SECTIONS"]
    for section in sections.SECTIONS:
        here = [_item(setting) for setting in settings if setting.section == section]
        body += [f".Ss Section {section}", *items(here)]
    body += [".Sh EXAMPLES", *example(EXAMPLE)]
    return page("llamactl.toml", 5, "configuration of llamactl", body, ["llamactl 1", "llamactld 8"])


def _item(setting: Setting) -> tuple[str, list[str]]:
    default = f"Default: {setting.default}" if setting.default else "Not set by default"
    used = "" if setting.used else "Not used in this version."
    return f"Ic {setting.key}", text(f"{setting.kind[0].upper()}{setting.kind[1:]}. {default}. {setting.about} {used}")


def _kind(kind: Any) -> str:
    """What may be written, for people."""
    if kind in KINDS:
        return KINDS[kind]
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        limits = inside[1]
        bounds = [f"at least {limits.ge:g}"] if limits.ge is not None else []
        bounds += [f"at most {limits.le:g}"] if limits.le is not None else []
        return ", ".join([KINDS[inside[0]], *bounds])
    if origin is Literal:
        return " or ".join(f'"{word}"' for word in inside)
    if origin is tuple:
        return f"list, each {_kind(inside[0])}"
    if origin is dict:
        return f"table, each {_kind(inside[1])}"
    assert isinstance(kind, UnionType) or NoneType in inside
    return ", or ".join(_kind(member) for member in inside if member is not NoneType)


def _written(kind: Any, default: Any) -> str:
    """A default as it would stand in the file; empty if it is not set."""
    if default is None:
        return ""
    if isinstance(default, tuple):
        return "[" + ", ".join(_written(get_args(kind)[0], each) for each in default) + "]"
    if isinstance(default, dict):
        return "{}"
    if isinstance(default, values.Tier):
        return f'"{_duration(default.step)}:{_duration(default.keep)}"'
    if kind in (values.Duration, values.Idleness) and default > 0:
        return f'"{_duration(default)}"'
    if kind is values.Size:
        return f'"{show_size(default).replace(" ", "")}"'
    if isinstance(default, bool):
        return str(default).lower()
    return f'"{default}"' if isinstance(default, str) else f"{default:g}"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _docstrings() -> dict[tuple[str, str], str]:
    """What stands below each field, by class and name."""
    found = {}
    for struct in ast.parse(inspect.getsource(sections)).body:
        if isinstance(struct, ast.ClassDef):
            for field, below in pairwise(struct.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(about))):
                        found[struct.name, name] = about.replace("None:", "not set:")
    return found


def _used() -> set[tuple[str, str]]:
    """Every `a.b` that the code outside of `config` reads: what is not among them changes nothing yet."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        if file.is_relative_to(PACKAGE / "config"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                    found.add((owner, name))
    return found
