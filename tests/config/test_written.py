"""What `get` and `show` write, and what `set` puts into the file for it."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.config.sections import SECTIONS
from llamactl.config.sources import types
from llamactl.config.values import (
    Address,
    Duration,
    FilePath,
    Idleness,
    Program,
    Rate,
    Secret,
    SecretUrl,
    Size,
    Tier,
    expected,
    read,
    untext,
)
from llamactl.config.written import HIDDEN, plain, shown, toml
from llamactl.config.written import given as typed
from llamactl.core.errors import BadRequest

from .reading import Write
from .reading import read as from_file
from .test_any import KINDS, values

HERE = Path("/here")


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(data=st.data())
def test_what_is_shown_may_be_typed_and_written(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert read(kind, tomllib.loads(f"it = {toml(kind, value)}")["it"], HERE) == value
    assert read(kind, typed(kind, plain(kind, value), HERE), HERE) == value


@pytest.mark.parametrize("key", [(section, key) for section in SECTIONS for key in types(section)], ids=".".join)
def test_every_key_can_be_set_from_a_text(key: tuple[str, str]) -> None:
    section, name = key
    default, kind = getattr(SECTIONS[section](), name), types(section)[name]
    raw = typed(kind, plain(kind, default), HERE)
    assert getattr(msgspec.convert({name: read(kind, raw, HERE)}, SECTIONS[section]), name) == default


@pytest.mark.parametrize(
    ("kind", "text", "raw"),
    [
        (int, "-1", -1),
        (bool, "true", True),
        (float, "1.5", 1.5),
        (str, "", ""),
        (str | None, "", ""),
        (Duration, "15m", "15m"),
        (Duration, " 900", 900),
        (Duration, "0.5", 0.5),
        (Idleness, "-1", -1),
        (Size, "12GiB", "12GiB"),
        (Size, "1048576", 1048576),
        (Rate, "5/s", "5/s"),
        (FilePath, "x", "/here/x"),
        (FilePath, "~/x", "~/x"),
        (FilePath, "/x", "/x"),
        (Program, "llama-server", "llama-server"),
        (Program, "./llama-server", "/here/llama-server"),
        (tuple[FilePath, ...], "/a:b", ["/a", "/here/b"]),
        (tuple[FilePath, ...], '["/a:b", "c,d"]', ["/a:b", "/here/c,d"]),
        (tuple[FilePath, ...], "", []),
        (tuple[str, ...], "qwen3:8b,gemma", ["qwen3:8b", "gemma"]),
        (tuple[str, ...], "a:b", ["a", "b"]),
        (tuple[str, ...], "[1", ["[1"]),
        (tuple[Address, ...], "[::1]:80:unix:///x", ["[::1]:80", "unix:///x"]),
        (tuple[Tier, ...], "1m:1h,15m:1d", ["1m:1h", "15m:1d"]),
        (dict[str, Size], "cuda0=8GiB:cuda1=5", {"cuda0": "8GiB", "cuda1": 5}),
        (dict[str, Size], '{ "cuda 0" = "8GiB" }', {"cuda 0": "8GiB"}),
    ],
)
def test_what_set_puts_into_the_file(kind: Any, text: str, raw: object) -> None:
    assert typed(kind, text, HERE) == raw


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (int, "", "nothing is no value"),
        (int, "x", "expected a whole number, got 'x'"),
        (bool, "maybe", "expected true or false, got 'maybe'"),
        (Duration, "soon", "not a duration"),
        (tuple[str, ...], "[1]", "expected a text, got 1"),
        (str, "\ud800", "not a text in UTF-8"),
        (str, "x" * 100 + "\0", ""),
    ],
)
def test_what_set_refuses(kind: Any, text: str, says: str) -> None:
    if not says:
        typed(kind, text, HERE)
        return
    with pytest.raises(BadRequest, match=says):
        typed(kind, text, HERE)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Duration, 900.0, '"15m"'),
        (Duration, 5400.0, '"90m"'),
        (Duration, 0.25, "0.25"),
        (Duration, 0.0, "0"),
        (Idleness, -1.0, "-1"),
        (Size, 1 << 30, '"1GiB"'),
        (Size, 1000, "1000"),
        (Rate, 60.0, '"60/min"'),
        (str | None, None, "(not set)"),
        (tuple[str, ...], ("a", 'b"'), r'["a", "b\""]'),
        (dict[str, Size], {"a b": 1024, "c": 1}, '{ "a b" = "1KiB", c = 1 }'),
        (dict[str, Size], {}, "{}"),
        (bool, True, "true"),
    ],
)
def test_what_is_shown(kind: Any, value: object, text: str) -> None:
    assert shown(kind, value) == text


@pytest.mark.parametrize(
    ("name", "text", "raw", "value"),
    [
        ("ctx_size", "8192", 8192, 8192),
        ("jinja", "off", False, False),
        ("temperature", "0.7", 0.7, 0.7),
        ("gpu_layers", "ALL", "all", "all"),
        ("mmproj", "x.gguf", "/here/x.gguf", "/here/x.gguf"),
        ("tensor_split", "3,1", "3.0,1.0", "3.0,1.0"),
        ("chat_template_kwargs", '{ "a": 1 }', '{"a":1}', '{"a":1}'),
        ("ctx_size", "", "", None),
    ],
)
def test_settings_of_llama_server(name: str, text: str, raw: object, value: object) -> None:
    kind = types("llama_server")[name]
    assert typed(kind, text, HERE) == raw
    assert read(kind, raw, HERE) == value


def test_a_list_of_the_file_is_one_of_llama_server(write: Write) -> None:
    path = write("[llama_server]\ntensor_split = [3, 1]\nmmproj = 'x.gguf'\nchat_template_kwargs = { a = 1 }")
    assert from_file(path).llama_server.settings() == {
        "tensor_split": "3.0,1.0",
        "mmproj": f"{path.parent}/x.gguf",
        "chat_template_kwargs": '{"a":1}',
    }


def test_a_secret_is_neither_shown_nor_quoted() -> None:
    assert shown(Secret, "hunter2") == shown(Secret | None, "hunter2") == HIDDEN
    assert shown(types("llama_server")["hf_token"], "hunter2") == HIDDEN
    assert typed(Secret, "hunter2", HERE) == "hunter2"
    assert shown(SecretUrl | None, "https://h/hunter2") == HIDDEN
    for kind in (Secret, tuple[Secret, ...]):
        with pytest.raises(BadRequest) as caught:
            read(kind, 4711 if kind is Secret else [4711], HERE)
        assert "4711" not in caught.value.message


def test_a_long_value_is_not_quoted_in_full() -> None:
    with pytest.raises(BadRequest) as caught:
        read(int, "x" * 10_000, HERE)
    assert len(caught.value.message) < 200


def test_every_kind_can_be_told() -> None:
    assert all(expected(kind) for kind in KINDS)
    assert expected(types("llama_server")["gpu_layers"]) == "auto, all or a whole number of layers, 0 or more"
    assert expected(types("http")["listen"]) == "a list, each an address"
    assert untext(tuple[str, ...], "a:b") == ["a", "b"]
