"""Presets of llama.cpp."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.config.imports.choose import interpret, read
from llamactl.config.imports.flags import from_words
from llamactl.config.imports.models import settings_of
from llamactl.config.imports.presets import presets
from llamactl.config.imports.report import Imported, ImportedModel
from llamactl.core.errors import BadRequest

BASE = Path("/base")

DOCUMENTED = """\
version = 1

; for all of them
[*]
c = 8192
n-gpu-layers = 8

[ggml-org/MY-MODEL-GGUF:Q8_0]
; string value
chat-template = chatml
n-gpu-layers = 123
jinja = true
c = 4096 # short
LLAMA_ARG_CACHE_RAM = 0
model-draft = ./my-models/draft.gguf
model-draft = /models/draft.gguf

[custom_model]
model = /models/my-awesome-model-Q4_K_M.gguf
load-on-startup = true
stop-timeout = 20
"""


def imported(text: str) -> Imported:
    return presets(text, BASE)


def one(*settings: str) -> ImportedModel:
    (model,) = imported("\n".join(["[m]", *settings])).models
    return model


def test_the_documented_file() -> None:
    found = imported(DOCUMENTED)
    assert found.models == (
        ImportedModel(
            name="ggml-org/MY-MODEL-GGUF:Q8_0",
            arguments=(
                *("-c", "4096", "--n-gpu-layers", "123", "--chat-template", "chatml", "--jinja"),
                *("--cache-ram", "0", "--model-draft", "/models/draft.gguf"),
            ),
        ),
        ImportedModel(
            name="custom_model",
            path="/models/my-awesome-model-Q4_K_M.gguf",
            arguments=("-c", "8192", "--n-gpu-layers", "8"),
            preload=True,
        ),
    )
    assert found.keys == {"models.preload": ["custom_model"]}
    assert [note.what for note in found.notes if note.outcome == "left"] == ["custom_model: stop-timeout"]
    assert found.whole


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("jinja = 1", ("--jinja",)),
        ("jinja = off", ("--no-jinja",)),
        ("no-mmap = true", ("--no-mmap",)),
        ("no-mmap = false", ("--mmap",)),
        ("kvo = 0", ("--no-kv-offload",)),
        ("kvu = false", ("--no-kv-unified",)),
        ("cb = 0", ("--no-cont-batching",)),
        ("spec-default = 1", ("--spec-default",)),
        ("spec-default = 0", ()),
        ("flash-attn = on", ("--flash-attn", "on")),
        ("fit = off", ("--fit", "off")),
        ("ngl = all", ("-ngl", "all")),
        ("ctx_size = 1", ("--ctx-size", "1")),
        ("temp=0.6", ("--temp", "0.6")),
        ("mmproj = x.gguf", ("--mmproj", "/base/x.gguf")),
        ("lora = a.gguf,/b", ("--lora", "/base/a.gguf,/b")),
        ('chat-template-kwargs = {"a": "b"}', ("--chat-template-kwargs", '{"a": "b"}')),
        ("unheard-of = 1", ("--unheard-of", "1")),
        ("LLAMA_ARG_CTX_SIZE = 5", ("--ctx-size", "5")),
        ("LLAMA_ARG_N_PARALLEL = 2", ("--parallel", "2")),
    ],
)
def test_a_key_is_a_flag(setting: str, words: tuple[str, ...]) -> None:
    assert one(setting).arguments == words


def test_a_variable_that_is_called_otherwise_stays_one() -> None:
    assert one("LLAMA_ARG_BATCH = 1", "LLAMA_ARG_STATIC_PATH = /x").env == {"LLAMA_ARG_BATCH": "1"}


def test_what_llamactl_says_itself_is_left_and_secrets_are_not_told() -> None:
    found = imported(
        "[m]\nmodel = m.gguf\nhost = 0.0.0.0\nport = 1\napi-key = hunter2\nLLAMA_API_KEY = hunter2\n"
        "hf-token = hunter2\nalias = a, b,m\nmodels-max = 3\nssl-key-file = /k"
    )
    assert found.models == (ImportedModel(name="m", path="/base/m.gguf", aliases=("a", "b")),)
    assert {note.what for note in found.notes if note.outcome == "left"} == {
        "--host, --port",
        "m: --api-key",
        "m: --hf-token",
        "m: --models-max",
        "m: --ssl-key-file",
    }
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("key", ["hf", "hf-repo", "LLAMA_ARG_HF_REPO", "model-url"])
def test_what_is_fetched_has_to_be_got_first(key: str) -> None:
    found = imported(f"[org/m]\n{key} = org/m:Q4\ntemp = 1")
    assert found.models == (ImportedModel(name="org/m", arguments=("--temp", "1")),)
    assert any("put it into the catalogue as org/m" in note.why for note in found.notes)


def test_a_section_that_comes_twice_is_as_it_is_the_second_time() -> None:
    assert imported("[m]\nc = 1\ntemp = 1\n[m]\nc = 2").models[0].arguments == ("-c", "2")


def test_ends_of_lines_spaces_and_remarks() -> None:
    assert imported("[ m ]\r\n  c = 1 ; x\r# y\r\ntemp =2#z").models[0].arguments == ("-c", "1", "--temp", "2")


@pytest.mark.parametrize("text", ["[m]\nc\n", "x\n", "[m\n", "[m]\n= 1"])
def test_what_is_no_ini(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.ini").write_text(text)
    with pytest.raises(BadRequest, match=r"models\.ini: line \d: expected"):
        read(tmp_path / "models.ini")


def test_it_is_known_by_its_looks() -> None:
    assert interpret(BASE / "presets.txt", "; mine\n\n[m]\nc = 1\n", {}).format == "llama.cpp presets"


@given(
    st.text() | st.lists(st.sampled_from(["[m]", "[*]", "c", "=", "\n", "1", ";", "jinja", "false", " "])).map("".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        imported(text)
    except BadRequest as error:
        assert "line" in error.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-fa -c 1", ("-fa", "on", "-c", "1")),
        ("--jinja -c 1", ("--jinja", "-c", "1")),
        ("--temp -1 -ngl -1", ("--temp", "-1", "-ngl", "-1")),
        ("stray --ctx_size 1", ("--ctx-size", "1")),
        ("--unheard-of --jinja", ("--unheard-of", "--jinja")),
    ],
)
def test_a_command_line_taken_apart(line: str, words: tuple[str, ...]) -> None:
    assert tuple(word for flag in from_words(line.split()) for word in flag.words) == words


def test_what_of_it_are_settings_of_the_table() -> None:
    model = one(
        "c = 4096", "jinja = false", "fa = on", "temp = 0.7", "unheard-of = 1", "ngl = many", "defrag-thold = 1"
    )
    settings, rest = settings_of(model)
    assert settings == {"ctx_size": 4096, "jinja": False, "flash_attn": "on", "temperature": 0.7}
    assert rest == ("--unheard-of", "1", "-ngl", "many", "--defrag-thold", "1")
    adapters = ImportedModel(name="m", arguments=("--lora", "/a", "--lora", "/b", "--jinja"))
    assert settings_of(adapters) == ({"lora": "/a,/b", "jinja": True}, ())
