"""The completions, in the shells they are for."""

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llamactl.cli.documents import ROOT
from llamactl.cli.documents.tree import read_tree

HERE = ROOT / "completions"

Complete = Callable[[str, Path], set[str]]


def below(*group: str, begins: str = "") -> set[str]:
    """The commands of a group that begin so."""
    found = [command.words for command in read_tree().all() if command.words and command.words[:-1] == group]
    return {words[-1] for words in found if words[-1].startswith(begins)}


def in_bash(line: str, where: Path) -> set[str]:
    """As readline asks: the words, cut at `=` too, and the one that the cursor is in."""
    words = line.replace("=", " = ").split(" ")
    script = f"""
        source {HERE}/llamactl.bash
        compopt() {{ :; }}
        COMP_WORDS=("$@") COMP_CWORD=$(( $# - 1 ))
        _llamactl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return _said(["bash", "--norc", "-uc", script, "bash", *words], where)


def in_fish(line: str, where: Path) -> set[str]:
    lines = _said(["fish", "--no-config", "-c", f"source {HERE}/llamactl.fish; complete -C '{line}'"], where)
    # fish repeats what stands before the value; where there is none, it is the setting that is offered
    return {answer.partition("\t")[0].rpartition("=")[2] for answer in lines} - {""}


def _said(command: list[str], where: Path) -> set[str]:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return set(filter(None, done.stdout.split("\n")))


SHELLS = [
    pytest.param(shell, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not here"), id=name)
    for name, shell in (("bash", in_bash), ("fish", in_fish))
]


@pytest.mark.parametrize("complete", SHELLS)
@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("llamactl ", below()),
        ("llamactl mo", below(begins="mo")),
        ("llamactl models ", below("models")),
        ("llamactl -o json models r", below("models", begins="r")),
        ("llamactl models -q a", below("models", begins="a")),
        ("llamactl daemon st", below("daemon", begins="st")),
        ("llamactl -o js", {"json", "jsonl"}),
        ("llamactl ps --output=js", {"json", "jsonl"}),
        ("llamactl ps --output ", {"table", "wide", "json", "jsonl", "name"}),
        ("llamactl ps --color n", {"never"}),
        ("llamactl start --no", {"--no-wait"}),
        ("llamactl load --no", {"--no-wait"}),
        ("llamactl models add --n", {"--name"}),
        ("llamactl models list --js", {"--json"}),
        ("llamactl stop --fo", {"--force"}),
        ("llamactl models add mod", {"model.gguf", "models/"}),
        ("llamactl models scan mod", {"models/"}),
        ("llamactl quickstart --model model", {"model.gguf", "models/"}),
        ("llamactl keys create --model model", set()),
        ("llamactl models set x split_mode=", {"none", "layer", "row", "tensor"}),
        ("llamactl models set x threads=2 jinja=o", {"on", "off"}),
        ("llamactl presets set x numa=d", {"distribute"}),
        ("llamactl models defaults set pooling=no", {"none"}),
        ("llamactl presets unset x split_", {"split_mode"}),
        ("llamactl models unset x mmp", {"mmproj", "mmproj_url", "mmproj_auto", "mmproj_offload"}),
        ("llamactl chat x --system ", set()),
        ("llamactl chat x -- -", set()),
        ("llamactl ps --nothing", set()),
        ("llamactld --verb", {"--verbose"}),
        ("llamactld ", set()),
    ],
)
def test_offers(complete: Complete, line: str, offers: set[str], tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    (tmp_path / "models").mkdir()
    assert {offer.rstrip("/") for offer in complete(line, tmp_path)} == {offer.rstrip("/") for offer in offers}


@pytest.mark.parametrize("complete", SHELLS)
def test_every_option_of_every_command(complete: Complete, tmp_path: Path) -> None:
    root = read_tree()
    for command in root.leaves():
        line = f"llamactl {' '.join(command.words)} --"
        long = {name for option in (*command.options, *root.options) for name in (*option.names, *option.off)}
        assert complete(line, tmp_path) == {name for name in long if name.startswith("--")} | {"--help"}, line


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not here")
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("llamactl mod\t", "llamactl models "),
        ("llamactl -o json models sc\t", "models scan "),
        ("llamactl ps --output=w\t", "--output=wide"),
        ("llamactl load --no\t", "--no-wait"),
        ("llamactl models \t", "Put a GGUF file into the catalogue."),
        ("llamactl models add mod\t", "model.gguf"),
        ("llamactl models set x split_m\t", "split_mode="),
        ("llamactl models set x split_mode=la\t", "split_mode=layer"),
        ("llamactl presets unset x load_m\t", "load_mode"),
        ("llamactld --verb\t", "--verbose"),
    ],
)
def test_zsh_on_a_terminal(typed: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb", "COLUMNS": "200"}
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
    try:
        setup = f"fpath=({HERE} $fpath); autoload -U compinit; compinit -u -D; PROMPT='> '; echo rea''dy\n"
        os.write(terminal, setup.encode())
        _read_until(terminal, "ready\r\n")
        os.write(terminal, typed.encode())
        _read_until(terminal, shown)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def _read_until(terminal: int, mark: str) -> None:
    seen, end = "", time.monotonic() + 20
    while mark not in seen.replace("\x07", ""):
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        assert ready, f"not seen: {mark!r} in {seen!r}"
        seen += os.read(terminal, 65536).decode(errors="replace")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not here")
@pytest.mark.parametrize("script", ["completions/llamactl.bash", ".ci/run"])
def test_shellcheck(script: str) -> None:
    done = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True, timeout=60)
    assert done.stdout == ""
