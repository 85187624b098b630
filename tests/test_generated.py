"""What is generated is what is committed, and is what others take it for."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main

from llamactl.cli.app import _hoist as hoist
from llamactl.cli.app import commands
from llamactl.cli.documents import ROOT, documents, manual, pages
from llamactl.cli.documents.manual import EXITS
from llamactl.cli.documents.settings import EXAMPLE
from llamactl.cli.documents.tree import read_tree
from llamactl.config.describe import describe
from llamactl.config.load import load
from llamactl.config.sections import SECTIONS
from llamactl.core.errors import BY_CODE

README = (ROOT / "README.md").read_text()
WRITTEN = documents(README)
TREE = read_tree()
PAGES = [name for name in WRITTEN if name.startswith("man/")]


def needs(program: str, package: str = "") -> pytest.MarkDecorator:
    reason = f"{program} is not here (Debian: apt-get install {package or program})"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


@pytest.mark.parametrize("name", WRITTEN)
def test_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == WRITTEN[name], "python -m llamactl.cli.documents"


# --- the manual ----------------------------------------------------------------------------------


def page(word: str) -> str:
    return WRITTEN[f"man/llamactl-{word}.1"]


@needs("mandoc")
def test_mandoc_finds_no_fault() -> None:
    """That pages which are referred to are there is tested below; mandoc looks for them where they are installed."""
    command = ["mandoc", "-Tlint", "-Wall", *(str(ROOT / path) for path in PAGES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if "referenced manual not found" not in line] == []


@needs("man", "man-db")
def test_man_warns_of_nothing() -> None:
    """In ASCII, into which not every character goes."""
    environment = {**os.environ, "LC_ALL": "C", "MANWIDTH": "80"}
    command = ["man", "--warnings", "--local-file", *(str(ROOT / path) for path in PAGES)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.count("NAME") == len(PAGES)
    typed = " " * 11
    assert [line for line in lines if len(line) > 80 and not line.startswith(typed)] == []


def test_every_word_has_its_page() -> None:
    assert set(pages.PAGES) == {command.words[0] for command in TREE.commands}, "llamactl/cli/documents/pages.py"
    assert [page.title for page in pages.PAGES.values() if len(page.title) > 49] == [], "a line each in the overview"


def test_every_command_and_option_has_its_entry() -> None:
    for command in TREE.leaves():
        manual = page(command.words[0])
        assert f".Nm llamactl\n.Cm {' '.join(command.words)}\n" in manual
        for option in command.options:
            assert f"Fl {option.names[-1][1:]}" in manual


def test_pages_refer_to_each_other() -> None:
    """Whoever is referred to refers back; the overview has them all."""
    refers = {Path(path).stem: set(re.findall(r"^\.(?:It )?Xr (\S+)", WRITTEN[path], re.MULTILINE)) for path in PAGES}
    assert refers["llamactl"] == set(refers) - {"llamactl"}
    for one, others in refers.items():
        for other in others:
            assert one in refers[other], f"{other} does not know of {one}"


EXAMPLES = {
    line: None
    for examples in (manual.EXAMPLES, manual.DAEMON_EXAMPLES, *(page.examples for page in pages.PAGES.values()))
    for typed in examples.values()
    for line in typed.splitlines()
}


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_can_be_typed(line: str) -> None:
    """Commands, options and values are such as there are; nothing is done."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    begin = next(place for place, word in enumerate(words) if word in ("llamactl", "llamactld"))
    program, *words = itertools.takewhile(lambda word: word[0] not in "|&;<>", words[begin:])
    if program == "llamactld":
        words = ["daemon", "run", *words]
    reached = []
    command: Any = typer.main.get_command(commands())  # new ones each time
    for each in _all(command):
        each.callback = lambda name=each.name, **_: reached.append(name)
    command([word for part in hoist(words) for word in part], standalone_mode=False)
    assert len(reached) > 1, "the root, and what was meant"


def _all(command: Any) -> Iterator[Any]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _all(below)


def test_exit_codes_of_pages_are_those_of_the_overview() -> None:
    assert {code for page in pages.PAGES.values() for code in page.exits} <= set(EXITS)


def test_every_exit_code_has_its_line() -> None:
    codes = {error.exit for error in BY_CODE.values()} | {0, 10, 130}
    assert codes == set(EXITS)
    paragraph = README.partition("Exit codes:")[2].partition("\n\n")[0]
    assert codes == {int(code) for code in re.findall(r"\d+", paragraph)}


# --- the configuration ---------------------------------------------------------------------------


def test_every_key_has_its_entry() -> None:
    page = WRITTEN["man/llamactl.toml.5"]
    for name, section in SECTIONS.items():
        entries = page.partition(f".Ss Section {name}\n")[2].partition(".Ss")[0]
        assert re.findall(r"\.It Ic (.*)", entries) == [field.name for field in msgspec.structs.fields(section)]


def test_defaults_are_what_they_say(tmp_path: Path) -> None:
    """Written into a file as the manual has them, they change nothing."""
    file = tmp_path / "config.toml"
    lines = []
    for section in SECTIONS:
        keys = [key for key in describe() if key.section == section and key.default is not None]
        lines += [f"[{section}]", *(f"{key.name} = {key.written_default}" for key in keys)]
    file.write_text("\n".join(lines))
    written = load(file, environment={}, system_file=tmp_path / "none")
    file.write_text("")
    assert written == load(file, environment={}, system_file=tmp_path / "none")


@pytest.mark.parametrize("example", [EXAMPLE, *re.findall(r"```toml\n(.*?)```", README, re.DOTALL)])
def test_examples_can_be_read(example: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(example)
    load(file, environment={}, system_file=tmp_path / "none")


# --- the README ----------------------------------------------------------------------------------


def _lines() -> list[str]:
    return re.findall(r"```sh\n(.*python3 -m venv \.venv .*)\n```", README)


def test_two_lines_do_all_the_set_up() -> None:
    first, tests = _lines()
    assert README.index(tests) < 2000, "on the first screen"
    assert first.endswith("llamactl quickstart") and "pytest" in tests


def test_the_tests_of_the_readme_are_those_of_ci(tmp_path: Path) -> None:
    """`.ci/run` takes its command from the README; here it is asked which one it found."""
    done = subprocess.run([ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == f"{_lines()[1]}\n", done.stderr


def test_commands_in_the_readme_exist() -> None:
    known = {" ".join(spelling): command for command in TREE.all() for spelling in command.spellings}
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    typed = re.findall(r"^\$ .*?\bllamactl ([a-z][a-z -]*)", README, re.MULTILINE)
    for words in [*typed, *re.findall(r"`llamactl ([a-z][a-z -]*)", text)]:
        first, second = [*words.split(), ""][:2]
        assert first in known, words
        assert not known[first].commands or f"{first} {second}".strip() in known, words
