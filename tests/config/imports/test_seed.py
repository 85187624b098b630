"""The dashboard's three JSON files."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.config.imports.choose import interpret, read
from llamactl.config.imports.report import Imported
from llamactl.config.imports.seed import SERVER, server_config
from llamactl.core.errors import BadRequest, NotFound
from llamactl.core.imported import Note

BASE = Path("/base")


def imported(document: object, name: str = "some.json") -> Imported:
    return interpret(BASE / name, msgspec.json.encode(document).decode(), {})


def became(what: str, document: object) -> Note:
    found = [note for note in imported(document).notes if note.what == what]
    assert len(found) == 1
    return found[0]


def test_the_file_that_it_was_shipped_with() -> None:
    document = {
        "host": "localhost",
        "port": 8134,
        "basePath": "/srv/models",
        "serverPath": "/home/ada/llama.cpp/build/bin/llama-server",
        "ctx_size": 131000,
        "batch_size": 512,
        "threads": -1,
        "gpu_layers": -1,
    }
    assert tuple(document) == SERVER
    found = server_config(document, BASE, lambda path: True)
    assert found.keys == {
        "http.host": "127.0.0.1",
        "http.port": 8134,
        "models.directories": ["/srv/models"],
        "llama_server.path": "/home/ada/llama.cpp/build/bin/llama-server",
        "llama_server.ctx_size": 131000,
        "llama_server.batch_size": 512,
    }
    assert [note.what for note in found.notes] == list(document)
    assert found.whole and found.models == () and found.format == "llama-server-config.json"


def test_nothing_on_the_processor_only_is_something() -> None:
    assert imported({"gpu_layers": 0, "threads": 0, "ctx_size": 0}).keys == {
        "llama_server.gpu_layers": 0,
        "llama_server.threads": 0,
        "llama_server.ctx_size": 0,
    }
    assert became("gpu_layers", {"gpu_layers": -1}).outcome == "translated"


def test_what_would_open_the_port_or_is_not_here_is_left() -> None:
    open_ = became("host", {"host": "0.0.0.0"})
    assert open_.outcome == "left" and "llamactl config set http.host 0.0.0.0" in open_.why
    missing = became("serverPath", {"serverPath": "/nowhere/llama-server"})
    assert missing.outcome == "left" and "/nowhere/llama-server" in missing.why
    assert imported({"serverPath": "llama-server"}).keys == {"llama_server.path": "llama-server"}


def test_a_relative_directory_begins_at_the_file() -> None:
    assert imported({"basePath": "models"}).keys == {"models.directories": ["/base/models"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [("port", 0.5), ("port", 99999), ("port", "80"), ("host", ""), ("host", 1), ("ctx_size", -1), ("threads", True)],
)
def test_what_cannot_be_is_invalid_and_the_rest_is_taken(field: str, value: object) -> None:
    found = imported({"batch_size": 512, field: value})
    assert found.keys == {"llama_server.batch_size": 512}
    assert not found.whole and [note.outcome for note in found.notes] == ["taken", "invalid"]


def test_fields_that_only_its_spawner_knew() -> None:
    found = imported({"port": 1, "flash_attn": "on", "ubatch_size": 256, "neg_prompt_multiplier": 1.1})
    assert found.keys == {"http.port": 1, "llama_server.flash_attn": "on", "llama_server.ubatch_size": 256}
    assert found.notes[-1].outcome == "left"


def test_the_settings_of_the_page() -> None:
    found = imported(
        {"maxConcurrentModels": 3, "logLevel": "verbose", "autoUpdate": False, "notificationsEnabled": True}
    )
    assert found.keys == {
        "residency.max_models": 3,
        "logging.console_level": "debug",
        "logging.file_level": "debug",
    }
    outcomes = {note.what: note.outcome for note in found.notes}
    assert (outcomes["autoUpdate"], outcomes["notificationsEnabled"]) == ("left", "left")
    assert not imported({"maxConcurrentModels": 3, "logLevel": "loud"}).whole


def test_templates() -> None:
    found = imported(
        {
            "default_model": "qwen",
            "model_templates": {"a": "chatml", "b": "llama-2", "llama2-7b": "llama-2-7b", "c": None},
        }
    )
    assert found.keys == {"models.default": "qwen"}
    assert found.templates == {"a": "chatml", "b": "llama2"}
    assert {note.what: note.outcome for note in found.notes} == {
        "default_model": "taken",
        "model_templates.a": "translated",
        "model_templates.b": "translated",
        "model_templates.llama2-7b": "left",
        "model_templates.c": "invalid",
    }
    empty = imported({"default_model": None, "model_templates": {}})
    assert empty.keys == {} and empty.whole
    assert not imported({"default_model": None, "model_templates": []}).whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "some.json: Input data was truncated"),
        ('{\n"port": 1,\n}', "some.json: line 3: "),
        ("[]", "not a file that can be imported"),
        ('{"theme": "dark"}', "not a file that can be imported"),
        ("[" * 100_000, "some.json: "),
    ],
)
def test_what_is_none_of_them(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "some.json").write_text(text)
    with pytest.raises(BadRequest) as caught:
        read(tmp_path / "some.json")
    assert says in caught.value.message


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read(tmp_path / "none.json")
    with pytest.raises(BadRequest, match="cannot read"):
        read(tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BadRequest, match="UTF-8"):
        read(tmp_path / "binary.json")
    (tmp_path / "large.json").write_bytes(b" " * (1 << 21))
    with pytest.raises(BadRequest, match="larger than 1 MiB"):
        read(tmp_path / "large.json")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BadRequest) as caught:
        read(tmp_path / "notes.txt")
    assert "app-config.json" in caught.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=3), inside, max_size=2),
)
FIELDS = st.sampled_from([*SERVER, "maxConcurrentModels", "logLevel", "default_model", "model_templates", "x"])


@given(document=st.dictionaries(FIELDS, JSON))
def test_every_field_of_any_file_is_in_the_report(document: dict[str, object]) -> None:
    try:
        found = imported(document)
    except BadRequest:
        assert not document.keys() - {"x"}
        return
    assert {note.what.partition(".")[0] for note in found.notes} >= {
        field for field, value in document.items() if field != "model_templates" or value
    }
