"""What the commands about presets, defaults and templates ask, and what they make of the answer."""

from pathlib import Path

import msgspec
import pytest

from llamactl.core.errors import Refused
from llamactl.rpc.calls import PresetRow, SettingRow, TemplateList, TemplateUse
from tests.cli.conftest import Llamactl
from tests.cli.stub import QWEN, Stub, model

FAST = PresetRow(name="fast", settings={"threads": 2, "jinja": False, "hf_token": None}, models=("a", "b"))
OTHER = PresetRow(name="other", settings={"server_path": "/opt/x"})
BEFORE = msgspec.structs.replace(QWEN, outdated=("settings",))
"""It runs, with other settings than it has now."""


@pytest.fixture
def presets(stub: Stub) -> Stub:
    stub.answers["presets.list"] = [FAST, OTHER]
    stub.answers["presets.show"] = FAST
    for method in ("save", "set"):
        stub.answers[f"presets.{method}"] = FAST
    stub.answers["presets.put"] = [OTHER]
    stub.answers["presets.apply"] = [model("qwen3:8b", state="ready"), model("gemma-2b")]
    stub.answers["presets.remove"] = ["a"]
    stub.answers["instances.list"] = [BEFORE]
    return stub


def test_listing(presets: Stub, llamactl: Llamactl) -> None:
    said = llamactl("presets")
    assert "threads=2, jinja=off, hf_token=***" in said.out and "a, b" in said.out
    assert llamactl("presets", "ls", "-o", "name").out == "fast\nother\n"
    assert llamactl("presets", "ls", "--json").json()["items"][0]["settings"]["hf_token"] is None
    presets.answers["presets.list"] = []
    assert "presets save PRESET --from NAME" in llamactl("presets", "list").err


def test_showing(presets: Stub, llamactl: Llamactl) -> None:
    lines = [line.split() for line in llamactl("presets", "show", "fast").out.splitlines()]
    assert ["threads", "2", "threads"] in lines and ["hf_token", "***"] in lines and ["models", "a,", "b"] in lines
    assert llamactl("presets", "show", "fast", "--json").json()["models"] == ["a", "b"]


def test_changing(presets: Stub, llamactl: Llamactl, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert "from the next start" in llamactl("presets", "save", "fast", "--from", "a", "--replace").err
    assert llamactl("presets", "set", "fast", "threads=2", "server_path=bin/x").code == 0
    assert llamactl("presets", "unset", "fast", "threads").code == 0
    assert llamactl("presets", "set", "fast", "threads").code == 2
    assert presets.asked == [
        ("presets.save", {"name": "fast", "model": "a", "replace": True}),
        ("presets.set", {"name": "fast", "set": {"threads": "2", "server_path": f"{home}/bin/x"}}),
        ("presets.set", {"name": "fast", "unset": ["threads"]}),
    ]


def test_applying(presets: Stub, llamactl: Llamactl) -> None:
    said = llamactl("presets", "apply", "fast", "*")
    assert said.code == 0 and "gemma-2b has the preset fast" in said.err
    assert "llamactl restart qwen3:8b" in said.err
    assert presets.asked[-2] == ("presets.apply", {"models": ["qwen3:8b", "gemma-2b"], "preset": "fast"})
    presets.answers["instances.list"] = [QWEN]
    said = llamactl("presets", "unapply", "gemma-2b")
    assert "has no preset" in said.err and "restart" not in said.err, "it runs with what it has again"
    assert presets.asked[-2] == ("presets.apply", {"models": ["gemma-2b"], "preset": None})


def test_removing(presets: Stub, llamactl: Llamactl) -> None:
    assert llamactl("presets", "rm", "fast", "--force").err == "fast is removed, and no longer applied to a\n"
    assert llamactl("presets", "remove", "fast", "--json").json()["models"] == ["a"]
    presets.answers["presets.remove"] = Refused("it is applied to a")
    assert llamactl("presets", "rm", "fast").code == 5


def test_export_and_import(presets: Stub, llamactl: Llamactl, tmp_path: Path) -> None:
    said = llamactl("presets", "export")
    assert said.err == "preset fast: hf_token left out, which nobody else should see\n"
    document = said.json()
    assert document["schema"] == "llamactl.catalogue/v1"
    assert document["presets"]["fast"] == {"threads": 2, "jinja": False}
    assert llamactl("presets", "export", "other", "none").code == 4
    said = llamactl("presets", "export", "--format", "ini")
    assert said.out == "version = 1\n\n[fast]\nthreads = 2\njinja = off\n\n[other]\n"
    assert "other: server_path cannot be said" in said.err
    file = tmp_path / "presets.json"
    file.write_bytes(msgspec.json.encode(document))
    assert "1 preset imported: other" in llamactl("presets", "import", str(file), "--replace").err
    asked = {"fast": {"threads": 2, "jinja": False}, "other": {"server_path": "/opt/x"}}
    assert presets.asked[-1] == ("presets.put", {"presets": asked, "replace": True})
    file.write_text('{"schema": "llamactl.catalogue/v1", "items": [], "presets": {"a": {"threads": []}}}')
    said = llamactl("presets", "import", str(file))
    assert said.code == 2 and "$.presets" in said.err and str(file) in said.err
    file.write_text("[a]\nthreads = 1\n")
    assert "models import" in llamactl("presets", "import", str(file)).err
    assert llamactl("presets", "import", str(tmp_path / "none")).code == 4


def test_defaults(stub: Stub, llamactl: Llamactl) -> None:
    rows = [SettingRow(name="jinja", group="server", value=False, origin="server defaults")]
    stub.answers["defaults.show"] = stub.answers["defaults.set"] = rows
    for command in (["models", "defaults"], ["models", "defaults", "show"]):
        assert llamactl(*command).out.splitlines()[1].split() == ["jinja", "off", "server", "defaults"]
    assert "next start" in llamactl("models", "defaults", "set", "jinja=off").err
    assert stub.asked[-1] == ("defaults.set", {"set": {"jinja": "off"}})
    assert llamactl("models", "defaults", "unset", "jinja", "--json").json()["items"][0]["value"] is False
    stub.answers["defaults.show"] = []
    assert "Nothing is set" in llamactl("models", "defaults").err


@pytest.fixture
def templates(stub: Stub) -> Stub:
    stub.answers["instances.list"] = [BEFORE]
    uses = [
        TemplateUse(model="a", template="llama3", origin="model"),
        TemplateUse(model="b", template="/d/x.jinja", origin="preset fast"),
        TemplateUse(model="c", template="/else/y.jinja", origin="model"),
        TemplateUse(model="d", template="{{ a }}\n" * 20, origin="model"),
    ]
    stub.answers["templates.list"] = TemplateList(
        built_in=("chatml", "llama3"), directory="/d", files=("x.jinja",), uses=uses, default_model="a"
    )
    stub.answers["templates.set"] = [model("qwen3:8b", state="ready")]
    return stub


def test_templates(templates: Stub, llamactl: Llamactl) -> None:
    rows = llamactl("templates", "--json").json()["items"]
    assert [(row["name"][:13], row["kind"], row["models"]) for row in rows] == [
        ("x.jinja", "file", ["b"]),
        ("chatml", "built-in", []),
        ("llama3", "built-in", ["a"]),
        ("/else/y.jinja", "file", ["c"]),
        ("{{ a }} {{ a ", "text", ["d"]),
    ]
    assert "built-in" in llamactl("templates", "ls").out


def test_setting_a_template(templates: Stub, llamactl: Llamactl, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (home / "here.jinja").write_text("x")
    for template, asked in (
        ("llama3", "llama3"),
        ("x.jinja", "x.jinja"),
        ("here.jinja", f"{home}/here.jinja"),
        ("./x.jinja", f"{home}/x.jinja"),
        ("~/t", f"{home}/t"),
    ):
        said = llamactl("templates", "set", "qwen3:8b", template)
        assert "old settings" in said.err
        assert templates.asked[-2] == ("templates.set", {"templates": {"qwen3:8b": asked}})
    assert llamactl("templates", "unset", "qwen3:8b").code == 0
    assert templates.asked[-2] == ("templates.set", {"templates": {"qwen3:8b": None}})


def test_the_default_model(templates: Stub, llamactl: Llamactl) -> None:
    assert llamactl("templates", "default").out == "a\n"
    assert llamactl("templates", "default", "--json").json()["default_model"] == "a"
    assert llamactl("templates", "default", "nobody").code == 4
    assert llamactl("templates", "default", "a", "--none").code == 2
    assert llamactl("templates", "default", "gemma-2b").code == 0
    assert llamactl("config", "get", "models.default").out == "gemma-2b\n"
    assert llamactl("templates", "default", "--none").code == 0
    assert llamactl("config", "get", "models.default").out == "\n"


def test_the_default_model_without_a_daemon(llamactl: Llamactl) -> None:
    assert "requests must name a model" in llamactl("templates", "default").err
    assert llamactl("templates", "default", "any").code == 0
    assert llamactl("templates", "default").out == "any\n"
