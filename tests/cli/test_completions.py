"""The completions, in the shells they are for."""

import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llamactl.cli.documents import ROOT
from llamactl.cli.documents.tree import read_tree
from llamactl.core.events import KINDS
from tests.cli.shells import COMPLETIONS, Shell, is_here, opened

NAMES = {
    "model": ["qwen3:8b", "qwen3:4b", "org/repo@v1:q4", "odd; $(touch pwned) 'x\""],
    "alias": ["gpt/4o"],
    "variant": ["qwen3:8b:fast"],
    "preset": ["long"],
    "key": ["a1b2c3d4"],
}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_here(shell), reason=f"{shell} is not here (Debian: apt-get install {shell})")


def below(*group: str, begins: str = "") -> set[str]:
    """The commands of a group that begin so."""
    found = [command.words for command in read_tree().all() if command.words and command.words[:-1] == group]
    return {words[-1] for words in found if words[-1].startswith(begins)}


def home_at(place: Path) -> Path:
    (place / "run" / "llamactl").mkdir(parents=True)
    names = [f"{kind}\t{name}\n" for kind, names in NAMES.items() for name in names]
    (place / "run" / "llamactl" / "names").write_text("".join(names))
    (place / "model.gguf").touch()
    (place / "models").mkdir()
    return place


# --- what is offered -----------------------------------------------------------------------------


def in_bash(lines: list[str], home: Path) -> list[set[str]]:
    """As readline asks: the words, cut as it cuts them, and the one that the cursor is in."""
    script = f"""
        source {COMPLETIONS}/llamactl.bash
        compopt() {{ :; }}
        while IFS= read -r COMP_LINE && read -ra COMP_WORDS; do
            [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )) COMP_POINT=${{#COMP_LINE}}
            _llamactl
            printf '%s\\n' "${{COMPREPLY[@]}}" --
        done
    """
    cut = [re.sub("([=:])", r" \1 ", line) for line in lines]
    asked = "".join(f"{line}\n{words}\n" for line, words in zip(lines, cut, strict=True))
    return _said(["bash", "--norc", "-uc", script], asked, home)


def in_fish(lines: list[str], home: Path) -> list[set[str]]:
    script = f"source {COMPLETIONS}/llamactl.fish; while read line; complete -C $line; printf '%s\\n' --; end"
    said = _said(["fish", "--no-config", "-c", script], "".join(f"{line}\n" for line in lines), home)
    # fish repeats what stands before the value; where there is none, it is the key that is offered
    bare = re.compile(r"\t.*|^.*=")
    return [{bare.sub("", answer) for answer in answers} - {""} for answers in said]


def _said(command: list[str], asked: str, home: Path) -> list[set[str]]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": f"{home}/run", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=home, input=asked, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [set(filter(None, answers.split("\n"))) for answers in done.stdout.split("--\n")[:-1]]


OFFERS = {
    "llamactl ": below(),
    "llamactl mo": below(begins="mo"),
    "llamactl models ": below("models"),
    "llamactl -o json models r": below("models", begins="r"),
    "llamactl models -q a": below("models", begins="a"),
    "llamactl daemon st": below("daemon", begins="st"),
    "llamactl -o js": {"json", "jsonl"},
    "llamactl ps --output=js": {"json", "jsonl"},
    "llamactl ps --output ": {"table", "wide", "json", "jsonl", "name"},
    "llamactl ps --color n": {"never"},
    "llamactl start --no": {"--no-input", "--no-wait"},
    "llamactl load --no": {"--no-input", "--no-wait"},
    "llamactl models add --n": {"--name", "--no-input"},
    "llamactl models list --js": {"--json"},
    "llamactl stop --fo": {"--force"},
    "llamactl models add mod": {"model.gguf", "models"},
    "llamactl models add model.gguf mod": {"model.gguf", "models"},
    "llamactl models add --name ": set(),
    "llamactl models scan mod": {"models"},
    "llamactl api models.sh": {"models.shape", "models.show"},
    "llamactl quickstart --model model": {"model.gguf", "models"},
    "llamactl models set x split_mode=": {"none", "layer", "row", "tensor"},
    "llamactl models set x threads=2 jinja=o": {"on", "off"},
    "llamactl models set x threads=": set(),
    "llamactl presets set x numa=d": {"distribute"},
    "llamactl models variants set x top_=": set(),
    "llamactl presets unset x split_": {"split_mode"},
    "llamactl models defaults unset n_cpu": set(),
    "llamactl models variants unset x top_": {"top_k", "top_p", "top_nsigma"},
    "llamactl models variants set x --strip top_n": {"top_nsigma"},
    "llamactl models unset x mmp": {"mmproj", "mmproj_url", "mmproj_auto", "mmproj_offload"},
    "llamactl config get models.d": {"models.default", "models.directories"},
    "llamactl config set models.watch ": {"true", "false"},
    "llamactl config set restart.wedged ": {"mark", "restart"},
    "llamactl config set http.tls_cert model": {"model.gguf", "models"},
    "llamactl config set llama_server.split_mode l": {"layer"},
    "llamactl config set models.standby gp": {"gpt/4o"},
    "llamactl config unset models.default mod": set(),
    "llamactl wait x --for ": {"ready", "stopped", "failed", "idle"},
    "llamactl keys create x --scope ": {"infer", "observe", "control", "admin"},
    "llamactl keys create ": set(),
    "llamactl daemon log-level ": {"debug", "info", "warn", "error"},
    "llamactl completion ": {"bash", "zsh", "fish"},
    "llamactl events --type ": set(KINDS),
    "llamactl api instances.w": {"instances.wait", "instances.why"},
    "llamactl presets rm ": {"long"},
    "llamactl presets rm long ": set(),
    "llamactl keys rotate ": {"a1b2c3d4"},
    "llamactl requests --key ": {"a1b2c3d4"},
    "llamactl requests show ": set(),
    "llamactl models show g": {"gpt/4o"},
    "llamactl models rename gpt/4o ": set(),
    "llamactl stop gpt/4o g": {"gpt/4o"},
    "llamactl chat x --system ": set(),
    "llamactl chat x -- -": set(),
    "llamactl ps --nothing": set(),
    "llamactld --verb": {"--verbose"},
    "llamactld ": set(),
}


Ask = Callable[[list[str], Path], list[set[str]]]
ASKED = pytest.mark.parametrize(
    "ask", [pytest.param(ask, marks=needs(name), id=name) for name, ask in (("bash", in_bash), ("fish", in_fish))]
)


@ASKED
def test_what_is_offered(ask: Ask, tmp_path: Path) -> None:
    found = zip(OFFERS, ask(list(OFFERS), home_at(tmp_path)), strict=True)
    assert {line: {offer.rstrip("/") for offer in offers} for line, offers in found} == OFFERS


@ASKED
def test_every_option_of_every_command(ask: Ask, tmp_path: Path) -> None:
    root = read_tree()
    wanted = {}
    leaves = list(root.leaves())
    for command in leaves if ask is in_bash else leaves[::7]:  # fish takes 10 ms for each
        names = {name for option in (*command.options, *root.options) for name in (*option.names, *option.off)}
        wanted[f"llamactl {' '.join(command.words)} --"] = {name for name in names if name[:2] == "--"} | {"--help"}
    assert dict(zip(wanted, ask(list(wanted), home_at(tmp_path)), strict=True)) == wanted


# --- what is typed -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[pytest.param(name, marks=needs(name)) for name in ("bash", "zsh", "fish")])
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, Path]]:
    home = home_at(tmp_path_factory.mktemp(request.param))
    with opened(request.param, home) as shell:
        yield shell, home


TYPED = {
    "llamactl mod\tsho\t": "models show",
    "llamactl -o json models sc\t": "-o json models scan",
    "llamactl ps --output=w\t": "ps --output=wide",
    "llamactl load --no-w\t": "load --no-wait",
    "llamactl models add model.g\t": "models add model.gguf",
    "llamactl models set x split_m\tla\t": "models set x split_mode=layer",
    "llamactl models set x split_mode=la\t": "models set x split_mode=layer",
    "llamactl models set x mmproj=model.\t": "models set x mmproj=model.gguf",
    "llamactl presets unset x load_m\t": "presets unset x load_mode",
    "llamactl start q\t8\t": "start qwen3:8b",
    "llamactl start qwen3:\t8\t": "start qwen3:8b",
    "llamactl start qwen3:8\t qwen3:4\t": "start qwen3:8b qwen3:4b",
    "llamactl chat qwen3:8b:\t": "chat qwen3:8b:fast",
    "llamactl chat 'qwen3:8b:\t": "chat qwen3:8b:fast",
    "llamactl stop org\t": "stop org/repo@v1:q4",
    "llamactl stop org/repo@\t": "stop org/repo@v1:q4",
    "llamactl stop org/repo@v1:\t gp\t": "stop org/repo@v1:q4 gpt/4o",
    "llamactl presets apply lo\tgp\t": "presets apply long gpt/4o",
    "llamactl presets save x --from gp\t": "presets save x --from gpt/4o",
    "llamactl requests --model=gp\t": "requests --model=gpt/4o",
    "llamactl keys revoke a\t": "keys revoke a1b2c3d4",
    "llamactl wait gp\t--for st\t": "wait gpt/4o --for stopped",
    "llamactl config set models.def\tq\t4\t": "config set models.default qwen3:4b",
    "llamactl config set models.wa\tf\t": "config set models.watch false",
}


def test_what_is_typed_is_what_llamactl_gets(shell: tuple[Shell, Path]) -> None:
    typing, _ = shell
    assert {keys: " ".join(typing.gives(keys)) for keys in TYPED} == TYPED


def test_no_name_is_a_command(shell: tuple[Shell, Path]) -> None:
    typing, home = shell
    odd = NAMES["model"][-1]
    for keys in ("start odd\t", "start odd\\;\t"):
        assert typing.gives(f"llamactl {keys}") == ["start", odd]
    assert not (home / "pwned").exists()


def test_another_daemon_or_none(shell: tuple[Shell, Path]) -> None:
    """There are no names then, and nothing is said about that."""
    typing, home = shell
    for host in (f"unix://{home}/nowhere/control.sock", "http://127.0.0.1:1", f"{home}/model.gguf/control.sock"):
        typing.tell(f"export LLAMACTL_HOST={host}")
        assert typing.gives("llamactl start gp\t") == ["start", "gp"]
        assert not re.search(r"rror|[Nn]o such|\w+:", typing.screen), typing.screen
    (home / "other").mkdir(exist_ok=True)
    (home / "other" / "names").write_text("model\tgpu\n")
    typing.tell(f"export LLAMACTL_HOST={home}/other/control.sock")
    assert typing.gives("llamactl start gp\t") == ["start", "gpu"]
    typing.tell("export LLAMACTL_HOST=")
    assert typing.gives("llamactl start gp\t") == ["start", "gpt/4o"]


def test_a_daemon_that_runs_goes_before_one_that_has_left_its_names(shell: tuple[Shell, Path]) -> None:
    typing, home = shell
    system = home / "system"
    system.mkdir()
    (system / "names").write_text("model\tgpu\n")
    assert typing.gives("llamactl start gp\t") == ["start", "gpt/4o"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(system / "control.sock"))
        assert typing.gives("llamactl start gp\t") == ["start", "gpu"]
    (home / "run" / "llamactl" / "names").rename(home / "moved")
    (system / "control.sock").unlink()
    assert typing.gives("llamactl start gp\t") == ["start", "gp"]
    (home / "moved").rename(home / "run" / "llamactl" / "names")


def test_without_a_runtime_directory_the_temporary_one_of_this_user(shell: tuple[Shell, Path]) -> None:
    typing, home = shell
    place = home / "tmp" / f"llamactl-{os.getuid()}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "names").write_text("model\tgpu\n")
    typing.tell(f"export XDG_RUNTIME_DIR=; export TMPDIR={home}/tmp")
    try:
        assert typing.gives("llamactl start gp\t") == ["start", "gpu"]
    finally:
        typing.tell(f"export XDG_RUNTIME_DIR={home}/run")


# --- the files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(["zsh", "-n", "completions/_llamactl"], marks=needs("zsh")),
        pytest.param(["fish", "-n", "completions/llamactl.fish"], marks=needs("fish")),
    ],
    ids=lambda check: str(check[0]),
)
def test_no_fault_is_found(check: list[str]) -> None:
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs("zsh")
def test_zsh_may_source_it(tmp_path: Path) -> None:
    """Before its completion system is there, too."""
    script = f'source {COMPLETIONS}/_llamactl; compdef() {{ echo "$@" }}; source {COMPLETIONS}/_llamactl'
    done = subprocess.run(["zsh", "-fc", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "_llamactl llamactl llamactld\n", "")
