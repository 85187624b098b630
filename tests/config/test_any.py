"""Any configuration that can be written is read; anything else is refused."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import pytest
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llamactl.config.sections import SECTIONS, Factor, Limit, Percent, Port, Text
from llamactl.config.values import (
    Address,
    Duration,
    FilePath,
    GroupText,
    Idleness,
    Program,
    Rate,
    SecretUrl,
    Size,
    Tier,
    parameter_of,
    untext,
)
from llamactl.config.values import read as read_value
from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.core.parameters import Parameter, parse

from .reading import Write, read

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="~", exclude_categories=["Cs", "Cc"]), min_size=1)
PATHS = WORDS.map(lambda word: str(Path("/") / word))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    Duration: st.floats(0, 1e9),
    Idleness: st.floats(0, 1e9) | st.just(-1.0),
    Size: st.integers(0, 1 << 60),
    Rate: st.integers(0, 10**6).map(float),
    FilePath: PATHS,
    Program: PATHS,
    Address: WORDS,
    Tier: st.builds(Tier, st.integers(0, 10**6).map(float), st.integers(0, 10**6).map(float)),
    GroupText: st.sampled_from(["g=a;max=1", "big=a:b,c d;max=2;exclusive", "x=y;exclusive"]),
    SecretUrl: st.sampled_from(["https://h/a?b=c", "http://[::1]:1"]),
    Factor: st.floats(1, 1000),
    Limit: st.floats(0, 1e9),
    Percent: st.floats(0, 100),
    Port: st.integers(0, 65535),
    Text: WORDS,
    str: st.just("") | WORDS,
    bool: st.booleans(),
    NoneType: st.none(),
}


OF_ENGINE = (
    *(
        True,
        False,
        -1,
        0,
        1,
        2,
        512,
        4096,
        0.5,
        "auto",
        "on",
        "all",
        "a word",
        "é",
        "/a/b.gguf",
        "/a,/b",
        "0-3",
        "0xff",
    ),
    *("1,2", "0.5,0.5", '{"a": 1}', "--x 1", "a=b", "k=int:1", "15043-1", "docker:x", "host:1", "/a:0.5", "abc", "[1]"),
)


@cache
def settings_of_engine(parameter: Parameter) -> st.SearchStrategy[Setting]:
    """Some of what it may be, as it is kept."""
    found: list[Setting] = []
    for raw in (*OF_ENGINE, *parameter.choices):
        with suppress(BadRequest):
            found.append(parse(parameter.name, raw))
    assert found, parameter.name
    return st.sampled_from(found)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Anything that a key of that type may be."""
    if kind in VALUES:
        return VALUES[kind]
    if parameter := parameter_of(kind):
        return (
            settings_of_engine(parameter) | st.just(None)
            if NoneType in get_args(kind)
            else settings_of_engine(parameter)
        )
    members = get_args(kind)
    if get_origin(kind) is Literal:
        return st.sampled_from(members)
    if get_origin(kind) is tuple:
        return st.lists(values(members[0]), max_size=3).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(WORDS, values(members[1]), max_size=3)
    if get_origin(kind) is Annotated:
        assert members[0] is int
        return st.integers(members[1].ge, 1 << 30)
    return st.one_of([values(member) for member in members])


def sections() -> st.SearchStrategy[dict[str, msgspec.Struct]]:
    of_kind = {
        name: st.builds(kind, **{field.name: values(field.type) for field in msgspec.structs.fields(kind)})
        for name, kind in SECTIONS.items()
    }
    return st.fixed_dictionaries(of_kind)


def as_toml(section: msgspec.Struct) -> dict[str, Any]:
    """What a person would write to get that."""
    written: dict[str, Any] = {}
    for key, value in msgspec.structs.asdict(section).items():
        if key == "tiers":
            written[key] = [f"{tier.step:.0f}:{tier.keep:.0f}s" for tier in value]
        elif value is not None:
            written[key] = list(value) if isinstance(value, tuple) else value
    return written


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(wanted=sections())
def test_what_is_written_is_what_is_read(write: Write, wanted: dict[str, msgspec.Struct]) -> None:
    config = read(write(tomlkit.dumps({name: as_toml(section) for name, section in wanted.items()})))
    for name, section in wanted.items():
        assert getattr(config, name) == section


PIECES = ["[http]", "[", "]", "port", "=", "1", '"', "'", "\n", "{", "}", ",", "#", "x", ".", "\\", "inf", "[[", "]]"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("[http]\nport = " + "9" * 5000)
@example("[http]\nport = " + "[" * 5000)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(write: Write, text: str) -> None:
    path = write("")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read(path)
    except BadRequest as error:
        assert error.message.startswith(str(path))


FIELDS = [field for kind in SECTIONS.values() for field in msgspec.structs.fields(kind)]
MANY = [field.type for field in FIELDS if parameter_of(field.type)]
KINDS = [*dict.fromkeys(field.type for field in FIELDS if not parameter_of(field.type)), *MANY[::9]]
"""A kind of each sort; of the settings of llama-server, which have a test of their own, some."""


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(text=st.text(max_size=30) | st.text("0123456789.-:/=mhsGiB ", max_size=30))
def test_any_text_in_the_environment_is_read_or_refused(kind: Any, text: str) -> None:
    with suppress(BadRequest):
        read_value(kind, untext(kind, text), Path("/"), text=True)
