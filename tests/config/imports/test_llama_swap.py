"""Models of a llama-swap YAML."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.config.imports.choose import interpret, read
from llamactl.config.imports.llama_swap import llama_swap
from llamactl.config.imports.report import Imported, ImportedModel
from llamactl.core.errors import BadRequest

BASE = Path("/base")

WHOLE = """\
healthCheckTimeout: 500
logLevel: debug
globalTTL: 0
startPort: 10001
apiKeys: [hunter2]
macros:
  "latest": >
    /opt/llama/llama-server-ec9e0301
    --port ${PORT}
  flash: on
  default_ctx: 4096
  default_args: "--ctx-size ${default_ctx} -fa ${flash}"
  models_dir: "${env.HOME}/models"
shared: &shared
  ttl: 60
  env:
    - CUDA_VISIBLE_DEVICES=0,1
    - HF_TOKEN=hunter2
models:
  "gpt-oss:120b":
    <<: *shared
    macros:
      default_ctx: 16384
      temp: 0.70
    cmd: |
      # remarks are left out
      ${latest} \\
      --model ${models_dir}/gpt.gguf
      ${default_args}
      --temp ${temp} --mmproj mm.gguf -ngl 99 --no-mmap
      --chat-template-kwargs '{"a": "b c"}' --alias ${MODEL_ID},gpt --api-key hunter2
    aliases:
      - gpt-4o
      - id: mini
        name: Mini
    name: "GPT"
    cmdStop: kill ${PID}
  qwen:
    cmd: llama-server --port ${PORT} -m qwen.gguf -fa -c 1
    ttl: 0
    unlisted: true
  remote: {cmd: "llama-server -hf org/model --port ${PORT}"}
  boxed: {cmd: "docker run --rm -p ${PORT}:8080 llama.cpp:server -m x"}
  wrong: {cmd: "llama-server -m ${nothing}"}
  unset: {cmd: "llama-server -m ${env.NOTHING}"}
  empty: {cmd: "# nothing"}
  unclosed: {cmd: "llama-server 'x"}
groups: {}
hooks:
  on_startup:
    preload: [qwen]
"""


@pytest.fixture(scope="module")
def whole() -> Imported:
    return llama_swap(WHOLE, BASE, {"HOME": "/home/ada"})


def imported(text: str) -> Imported:
    return llama_swap(text, BASE, {})


def test_models(whole: Imported) -> None:
    assert whole.models == (
        ImportedModel(
            name="gpt-oss:120b",
            path="/home/ada/models/gpt.gguf",
            aliases=("gpt-4o", "mini", "gpt"),
            arguments=(
                *("--ctx-size", "16384", "-fa", "on", "--temp", "0.70", "--mmproj", "/base/mm.gguf", "-ngl", "99"),
                *("--no-mmap", "--chat-template-kwargs", '{"a": "b c"}'),
            ),
            env={"CUDA_VISIBLE_DEVICES": "0,1", "HF_TOKEN": "hunter2"},
            ttl=60.0,
            engine="/opt/llama/llama-server-ec9e0301",
        ),
        ImportedModel(name="qwen", path="/base/qwen.gguf", arguments=("-fa", "on", "-c", "1"), ttl=-1.0),
        ImportedModel(name="remote"),
    )


def test_what_is_for_llamactl_itself(whole: Imported) -> None:
    assert whole.keys == {
        "residency.load_timeout": 500,
        "logging.console_level": "debug",
        "residency.ttl": -1,
        "models.preload": ["qwen"],
    }


def test_everything_is_in_the_report_and_no_secret_is(whole: Imported) -> None:
    outcomes = {note.what: note.outcome for note in whole.notes}
    assert {what for what, outcome in outcomes.items() if outcome == "invalid"} == {
        "wrong",
        "unset",
        "empty",
        "unclosed",
    }
    left = {"apiKeys", "startPort", "shared", "groups", "boxed", "--host, --port", "remote: -hf", "qwen: unlisted"}
    left |= {f"gpt-oss:120b: {what}" for what in ("--api-key", "name", "cmdStop")}
    assert {what for what, outcome in outcomes.items() if outcome == "left"} == left
    assert "hunter2" not in str(whole.notes)
    assert not whole.whole


def test_a_model_in_a_container_says_by_what_it_is_run(whole: Imported) -> None:
    assert next(note.why for note in whole.notes if note.what == "boxed").startswith("it is run by docker")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [", "line 1"),
        ("a:\n b: c\n  d: e", "line 3"),
        ("- a", "there are no models in it"),
        ("", "there are no models in it"),
        ("models: 5", "expected a mapping"),
        ("!!int ", "line 1: could not determine a constructor"),
        ("models: !!python/object/apply:os.system ['true']", "line 1: could not determine a constructor"),
        ("{" * 3000, "not YAML"),
        ("models: {a: \x00}", "not YAML"),
    ],
)
def test_what_is_none(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(BadRequest) as caught:
        read(tmp_path / "config.yaml", {})
    assert caught.value.message.startswith(f"{tmp_path}/config.yaml: ") and says in caught.value.message


@pytest.mark.parametrize(
    "model",
    ["[]", "{cmd: llama-server, env: x}", "{cmd: llama-server, ttl: soon}", "{cmd: llama-server, macros: []}", "{}"],
)
def test_a_model_that_makes_no_sense_does_not_keep_the_others_out(model: str) -> None:
    found = imported(f"models:\n  a: {model}\n  b: {{cmd: llama-server -m /b}}")
    assert [each.name for each in found.models] == ["b"] and not found.whole


def test_macros_in_macros_do_not_grow_for_ever() -> None:
    macros = ["m0: x", *(f"m{number}: '{f'${{m{number - 1}}}' * 20}'" for number in range(1, 30))]
    models = ["a: {cmd: 'llama-server ${m29}'}", "b: {cmd: llama-server}"]
    found = imported("\n  ".join(["macros:", *macros]) + "\n" + "\n  ".join(["models:", *models]))
    assert [note.outcome for note in found.notes] == ["invalid", "taken"]
    assert "more than 65536 characters" in found.notes[0].why


def test_a_list_of_references_does_not_grow_for_ever() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert imported("\n".join([*lines, "models: {}"])).models == ()


PIECES = [
    "models:",
    "\n",
    "  ",
    "a:",
    " ",
    "cmd:",
    "llama-server",
    "-m",
    "x",
    "${PORT}",
    "{",
    "}",
    "[",
    "]",
    "&a",
    "*a",
    "- ",
]


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadRequest):
        interpret(BASE / "x.yml", text, {})


def test_yaml_is_loaded_for_yaml_only() -> None:
    program = (
        "import sys; from pathlib import Path; from llamactl.config.imports.choose import interpret;"
        "interpret(Path('/x.ini'), '[m]', {}); print('yaml' in sys.modules);"
        "interpret(Path('/x.yaml'), 'models: {}', {}); print('yaml' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
