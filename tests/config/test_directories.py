"""Where things lie, and what is refused."""

import os
import stat
from pathlib import Path

import platformdirs
import pytest

from llamactl.config import sockets
from llamactl.config.directories import find_directories, prepare
from llamactl.config.sockets import runtime_directory
from llamactl.core.errors import Refused


def test_a_person_gets_the_xdg_directories() -> None:
    names = {"CONFIG": "/c", "DATA": "/d", "STATE": "/s"}
    found = find_directories({f"XDG_{name}_HOME": path for name, path in names.items()} | {"XDG_RUNTIME_DIR": "/r"})
    assert found.config_file == Path("/c/llamactl/config.toml")
    assert found.database == Path("/d/llamactl/llamactl.db")
    assert found.models == Path("/d/llamactl/models")
    assert found.log == Path("/s/llamactl/log")
    assert found.control_socket == Path("/r/llamactl/control.sock")
    assert found.web_socket == Path("/r/llamactl/web.sock")
    assert found.pid_file == Path("/r/llamactl/llamactl.pid")
    assert found.sockets == Path("/r/llamactl/sockets")
    assert not found.managed


def test_a_service_gets_what_systemd_made_the_first_of_several() -> None:
    found = find_directories(
        {
            "RUNTIME_DIRECTORY": "/run/llamactl:/run/other",
            "STATE_DIRECTORY": "/var/lib/llamactl",
            "LOGS_DIRECTORY": "/var/log/llamactl",
            "CONFIGURATION_DIRECTORY": "/etc/llamactl",
            "XDG_RUNTIME_DIR": "/run/user/0",
        }
    )
    assert (found.runtime, found.managed) == (Path("/run/llamactl"), True)
    assert (found.data, found.log) == (Path("/var/lib/llamactl"), Path("/var/log/llamactl"))
    assert found.config_file == Path("/etc/llamactl/config.toml")


def test_without_variables_the_home_directory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/home/ada")
    found = find_directories({"XDG_DATA_HOME": "relative"})
    assert all(path.is_relative_to("/home/ada") for path in (found.config_file, found.data, found.log))


@pytest.mark.parametrize("home", ["/home/ada", None])
def test_they_are_where_everybody_looks_for_them(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    if home:
        monkeypatch.setenv("HOME", home)
    found = find_directories({})
    assert found.config_file == platformdirs.user_config_path("llamactl") / "config.toml"
    assert found.data == platformdirs.user_data_path("llamactl")
    assert found.log == platformdirs.user_state_path("llamactl") / "log"


def test_without_a_runtime_directory_a_temporary_one_of_this_user(tmp_path: Path) -> None:
    expected = f"llamactl-{os.getuid()}"
    assert runtime_directory({"TMPDIR": str(tmp_path)}) == str(tmp_path / expected)
    assert runtime_directory({"TMPDIR": str(tmp_path / "missing"), "XDG_RUNTIME_DIR": "x"}) == f"/tmp/{expected}"


def test_what_is_missing_is_made_for_this_user_only(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "a" / "b")
    for made in (directory, directory.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert prepare(directory) == directory


def test_all_directories_are_prepared(tmp_path: Path) -> None:
    names = {f"XDG_{name}": str(tmp_path / name) for name in ("RUNTIME_DIR", "DATA_HOME", "STATE_HOME", "CONFIG_HOME")}
    found = find_directories(names)
    found.prepare()
    assert all(path.is_dir() for path in (found.runtime, found.sockets, found.data, found.log))


def test_systemd_may_open_the_runtime_directory_to_a_group_but_not_the_sockets(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(0o750)
    names = {f"XDG_{name}": str(tmp_path / name) for name in ("DATA_HOME", "STATE_HOME", "CONFIG_HOME")}
    find_directories({**names, "RUNTIME_DIRECTORY": str(runtime)}).prepare()
    (runtime / "sockets").chmod(0o755)
    with pytest.raises(Refused, match="open to other users"):
        find_directories({**names, "RUNTIME_DIRECTORY": str(runtime)}).prepare()


def test_a_directory_open_to_others_is_refused_with_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(Refused) as caught:
        prepare(tmp_path)
    assert "0750" in caught.value.message and caught.value.hint == f"chmod 700 {tmp_path}"
    assert prepare(tmp_path, private=False) == tmp_path


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = prepare(tmp_path / "theirs")
    monkeypatch.setattr(os, "getuid", lambda: directory.stat().st_uid + 1)
    with pytest.raises(Refused, match="belongs to user"):
        prepare(directory)
    assert not sockets.is_ours(directory)


def test_a_link_is_refused_where_sockets_go_and_followed_elsewhere(tmp_path: Path) -> None:
    prepare(tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to("real")
    with pytest.raises(Refused, match="symbolic link"):
        prepare(link)
    assert prepare(link, private=False) == link
    link.unlink()
    link.symlink_to("nowhere")
    with pytest.raises(Refused, match="not a directory"):
        prepare(link)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(Refused, match="not a directory"):
        prepare(file)
    with pytest.raises(Refused, match="cannot make the directory"):
        prepare(file / "below")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Refused, match="may not write"):
        prepare(tmp_path, private=False)
    with pytest.raises(Refused, match="cannot make the directory"):
        prepare(tmp_path / "below")
