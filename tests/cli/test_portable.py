"""Models as files: what is read of ours and of others, and what is written."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from llamactl.core.errors import Refused
from llamactl.core.model import Unusable
from llamactl.rpc.calls import ImportReport, Portable, PortableModel
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub

FOUND = Portable(
    models=[
        PortableModel(name="a", path="/m/a.gguf", size=7, settings={"threads": 2, "api_prefix": "x"}, preset="fast"),
        PortableModel(name="b", path="/m/b.gguf"),
    ],
    presets={"fast": {"threads": 1, "ctx_size": 8}},
    secrets={"a": ("hf_token",)},
)


@pytest.fixture
def other(stub: Stub) -> Stub:
    stub.answers["models.export"] = FOUND
    stub.answers["models.import"] = ImportReport(added=("a",), changed=("b",), presets=("fast",))
    return stub


def imported(stub: Stub) -> Any:
    method, asked = stub.asked[-1]
    assert method == "models.import"
    return asked


def models(stub: Stub) -> dict[str, Any]:
    return {model["name"]: model for model in imported(stub)["models"]}


def test_export(other: Stub, llamactl: Llamactl) -> None:
    said = llamactl("models", "export")
    assert said.err == "a: hf_token left out, which nobody else should see\n"
    assert said.json()["schema"] == "llamactl.catalogue/v1"
    assert said.json()["presets"] == FOUND.presets and len(said.json()["items"]) == 2
    llamactl("models", "export", "qwen*")
    assert other.asked[-1] == ("models.export", {"names": ["qwen3:8b"]})


def test_what_was_exported_is_what_is_imported(other: Stub, llamactl: Llamactl, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(llamactl("models", "export").out)
    said = llamactl("models", "import", str(file), "--dry-run", "--replace")
    assert said.code == 0 and said.out == "+ a\n~ b\n"
    assert said.err == "1 would be added, 1 would be changed, 0 as they were, 1 preset\n"
    asked = imported(other)
    assert asked["dry_run"] and asked["replace"] and asked["presets"] == FOUND.presets
    assert [model["path"] for model in asked["models"]] == ["/m/a.gguf", "/m/b.gguf"]
    file.write_text('{"schema": "llamactl.catalogue/v1", "items": [{"name": "a", "path": "sub/a.gguf"}]}')
    llamactl("models", "import", str(file))
    assert models(other)["a"]["path"] == f"{tmp_path}/sub/a.gguf"


def test_ini_goes_there_and_back(other: Stub, llamactl: Llamactl, tmp_path: Path) -> None:
    other.answers["models.export"] = Portable(
        models=[PortableModel(name="a", path="/a", preset="fast")], presets=FOUND.presets
    )
    file = tmp_path / "models.ini"
    file.write_text(llamactl("models", "export", "--format", "ini").out)
    assert file.read_text() == "version = 1\n\n[a]\nmodel = /a\nctx-size = 8\nthreads = 1\n"
    llamactl("models", "import", str(file))
    assert models(other)["a"]["settings"] == {"ctx_size": 8, "threads": 1} and models(other)["a"]["path"] == "/a"


def test_what_is_partly_there(other: Stub, llamactl: Llamactl, tmp_path: Path) -> None:
    unusable = (Unusable("/m/a.gguf", "it is not there"),)
    other.answers["models.import"] = ImportReport(added=("a",), unusable=unusable, absent=("c",))
    file = tmp_path / "a.json"
    file.write_text('{"schema": "llamactl.catalogue/v1", "items": []}')
    said = llamactl("models", "import", str(file))
    assert said.code == 10
    assert "not usable yet: /m/a.gguf: it is not there" in said.err and "not in the catalogue: c" in said.err
    other.answers["models.import"] = Refused("a: it is here already", "add --replace")
    said = llamactl("models", "import", str(file), "--json")
    assert said.code == 5 and said.json()["error"]["hint"] == "add --replace"


LLAMA_SWAP = """
healthCheckTimeout: 60
models:
  qwen:
    cmd: {engine} --port ${{PORT}} -m /m/qwen.gguf -c 4096 --new-flag 5 --defrag-thold 0.1
    aliases: [q]
    ttl: 60
    env: ["CUDA_VISIBLE_DEVICES=0"]
  other:
    cmd: /nonexistent/llama-server -m /m/o.gguf
  docker:
    cmd: docker run x
"""


def test_llama_swap(other: Stub, llamactl: Llamactl, tmp_path: Path) -> None:
    engine = tmp_path / "llama-server"
    engine.write_text("#!/bin/sh\n")
    engine.chmod(0o755)
    file = tmp_path / "config.yaml"
    file.write_text(LLAMA_SWAP.format(engine=engine))
    said = llamactl("models", "import", str(file))
    assert said.code == 0
    assert models(other)["qwen"] == {
        "name": "qwen",
        "path": "/m/qwen.gguf",
        "size": 0,
        "aliases": ["q"],
        "settings": {"ctx_size": 4096, "custom_params": "--new-flag 5", "server_path": str(engine), "ttl": 60.0},
        "preset": "",
        "shapes": {},
    }
    assert models(other)["other"]["settings"] == {}
    for left in (
        "qwen: --defrag-thold",
        "qwen: CUDA_VISIBLE_DEVICES",
        "other: /nonexistent/llama-server",
        "docker: it is run by docker",
        "healthCheckTimeout: it is for: llamactl config import",
    ):
        assert f"left: {left}" in said.err
    assert said.err.endswith("for what it says of llamactl itself: llamactl config import\n")
    notes = llamactl("models", "import", str(file), "--json").json()["notes"]
    assert {note["outcome"] for note in notes} == {"taken", "left"}


def test_templates_of_the_dashboard(other: Stub, llamactl: Llamactl, tmp_path: Path) -> None:
    file = tmp_path / "model-templates.json"
    file.write_text(json.dumps({"default_model": "a", "model_templates": {"a": "chatml"}}))
    assert "llamactl config import" in llamactl("models", "import", str(file)).err
    assert models(other)["a"]["settings"] == {"chat_template": "chatml"} and models(other)["a"]["path"] == ""


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("x.json", '{"schema": "llamactl.catalogue/v1", "items": [{"path": "/a"}]}', 2, "$.items[0]"),
        ("x.json", '{"schema": "llamactl.presets/v1", "items": []}', 2, "not for import"),
        ("x.json", "{", 2, "truncated"),
        ("x.txt", "hello", 2, "not a file that can be imported"),
        ("x.ini", "nonsense", 2, "line 1"),
        ("x.json", b"\xff", 2, "UTF-8"),
        ("x.json", b" " * (8 << 20) + b"{}", 2, "8 MiB"),
    ],
)
def test_what_cannot_be_read(
    other: Stub, llamactl: Llamactl, tmp_path: Path, name: str, content: str | bytes, code: int, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    failed = llamactl("models", "import", str(file))
    assert failed.code == code and said in failed.err and str(file) in failed.err
    assert other.asked == []
    assert llamactl("models", "import", str(tmp_path / "none.json")).code == 4


@pytest.mark.parametrize("format", ["json", "ini"])
def test_what_was_exported_comes_in_through_a_pipe(
    other: Stub, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    other.answers["models.export"] = Portable(
        models=[PortableModel(name="a/b:c", path="/m/a.gguf", settings={"threads": 2})]
    )
    text = llamactl("models", "export", "--format", format).out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert llamactl("models", "import", "-").code == 0
    assert models(other)["a/b:c"]["path"] == "/m/a.gguf" and models(other)["a/b:c"]["settings"]["threads"] in (2, "2")
