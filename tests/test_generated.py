"""What is generated is what is committed, and is what others take it for."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from llamactl.cli.documents import ROOT, documents
from llamactl.cli.documents.manual import EXITS
from llamactl.cli.documents.settings import EXAMPLE
from llamactl.cli.documents.tree import read_tree
from llamactl.config.describe import describe
from llamactl.config.load import load
from llamactl.config.sections import SECTIONS
from llamactl.core.errors import BY_CODE

README = (ROOT / "README.md").read_text()
WRITTEN = documents(README)
PAGES = [name for name in WRITTEN if name.startswith("man/")]


def needs(program: str, package: str = "") -> pytest.MarkDecorator:
    reason = f"{program} is not here (Debian: apt-get install {package or program})"
    return pytest.mark.skipif(shutil.which(program) is None, reason=reason)


@pytest.mark.parametrize("name", WRITTEN)
def test_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == WRITTEN[name], "python -m llamactl.cli.documents"


# --- the manual ----------------------------------------------------------------------------------


@needs("mandoc")
@pytest.mark.parametrize("page", PAGES)
def test_mandoc_finds_no_fault(page: str, tmp_path: Path) -> None:
    """With all pages where it looks for those that a page refers to."""
    for other in PAGES:
        place = tmp_path / f"man{other[-1]}" / Path(other).name
        place.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / other, place)
    environment = {**os.environ, "MANPATH": str(tmp_path)}
    done = subprocess.run(["mandoc", "-Tlint", ROOT / page], capture_output=True, text=True, env=environment)
    assert [line for line in done.stdout.splitlines() if "referenced manual not found" not in line] == []


@needs("man", "man-db")
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_man_warns_of_nothing(page: str, locale: str) -> None:
    environment = {**os.environ, "LC_ALL": locale, "MANWIDTH": "80"}
    command = ["man", "--warnings", "--local-file", str(ROOT / page)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, errors="replace")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 30


def test_every_command_and_option_has_its_entry() -> None:
    manual = WRITTEN["man/llamactl.1"]
    for command in read_tree().leaves():
        assert f".Ss llamactl {' '.join(command.words)}\n" in manual
        for option in command.options:
            assert f"Fl {option.names[-1][1:]}" in manual


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
    known = {" ".join(spelling): command for command in read_tree().all() for spelling in command.spellings}
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    typed = re.findall(r"^\$ .*?\bllamactl ([a-z][a-z -]*)", README, re.MULTILINE)
    for words in [*typed, *re.findall(r"`llamactl ([a-z][a-z -]*)", text)]:
        first, second = [*words.split(), ""][:2]
        assert first in known, words
        assert not known[first].commands or f"{first} {second}".strip() in known, words
