"""The directories, the file and the environment."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
import pytest
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llamactl.config import sockets
from llamactl.config.directories import find_directories, prepare
from llamactl.config.load import line_of, load
from llamactl.config.sections import SECTIONS, Config, Factor, Port, Text
from llamactl.config.sockets import control_sockets, runtime_directory
from llamactl.config.values import Address, Duration, FilePath, Idleness, Program, Rate, Size, Tier, untext
from llamactl.config.values import read as read_value
from llamactl.core.errors import BadRequest, Refused

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the user's file; gives its path."""

    def put(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return put


NO_FILE = Path("/nonexistent/system.toml")


def read(path: Path | None = None, system_file: Path = NO_FILE, /, **environment: str) -> Config:
    return load(path, {"XDG_CONFIG_HOME": "/nonexistent", "HOME": "/home/ada", **environment}, system_file)


def refused(path: Path | None = None, /, **environment: str) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        load(path, {"XDG_CONFIG_HOME": "/nonexistent", **environment}, NO_FILE)
    return caught.value


# --- what is light stays light -------------------------------------------------------------------


def test_the_sockets_are_found_without_loading_what_reads_files() -> None:
    program = (
        "import sys; from llamactl.config.sockets import control_sockets; control_sockets();"
        "heavy = {'tomlkit', 'platformdirs', 'msgspec', 'asyncio', 'typing', 'tempfile', 'dataclasses'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "XDG_RUNTIME_DIR": ""}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == "[]"


# --- directories ---------------------------------------------------------------------------------


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


def test_without_a_runtime_directory_a_temporary_one_of_this_user(tmp_path: Path) -> None:
    expected = f"llamactl-{os.getuid()}"
    assert runtime_directory({"TMPDIR": str(tmp_path)}) == tmp_path / expected
    assert runtime_directory({"TMPDIR": str(tmp_path / "missing"), "XDG_RUNTIME_DIR": "x"}) == Path("/tmp") / expected


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


# --- where the daemon is -------------------------------------------------------------------------

SYSTEM = Path("/run/llamactl/control.sock")


def test_the_users_daemon_is_looked_for_before_the_systems() -> None:
    assert control_sockets({"XDG_RUNTIME_DIR": "/r"}) == [Path("/r/llamactl/control.sock"), SYSTEM]
    assert control_sockets({"XDG_RUNTIME_DIR": "/run"}) == [SYSTEM]


@pytest.mark.parametrize("host", ["unix:///a/b.sock", "/a/b.sock"])
def test_a_named_socket_is_the_only_one(host: str) -> None:
    assert control_sockets({"LLAMACTL_HOST": host}) == [Path("/a/b.sock")]
    assert control_sockets({"LLAMACTL_HOST": "unix:///other"}, host) == [Path("/a/b.sock")]


def test_a_host_on_the_network_has_no_socket() -> None:
    assert control_sockets({"LLAMACTL_HOST": "http://box:8134"}) == []
    with pytest.raises(BadRequest, match="not a host"):
        control_sockets({}, "box:8134")


def test_a_temporary_directory_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    environment = {"TMPDIR": str(tmp_path)}
    runtime = runtime_directory(environment)
    assert control_sockets(environment) == [SYSTEM]
    (tmp_path / "elsewhere").mkdir()
    runtime.symlink_to("elsewhere")
    assert control_sockets(environment) == [SYSTEM]
    runtime.unlink()
    runtime.mkdir()
    assert control_sockets(environment) == [runtime / "control.sock", SYSTEM]


# --- values --------------------------------------------------------------------------------------


def test_the_defaults() -> None:
    config = read()
    assert (config.http.host, config.http.port, config.http.max_body) == ("127.0.0.1", 8134, 100 << 20)
    assert (config.residency.ttl, config.residency.margin, config.residency.memory) == (900.0, 1 << 30, None)
    assert (config.restart.first, config.restart.longest, config.logging.max_size) == (1.0, 60.0, 20 << 20)
    assert config.llama_server.settings() == {}
    assert config.metrics.tiers == (Tier(60, 86400), Tier(900, 30 * 86400))


def test_every_default_is_what_its_type_says() -> None:
    for kind in SECTIONS.values():
        assert msgspec.convert(msgspec.to_builtins(kind()), kind) == kind()


def test_units_paths_and_lists(write: Write) -> None:
    path = write(
        """
        [http]
        listen = ["0.0.0.0:80", "unix:///x.sock"]
        tls_cert = "cert.pem"
        [models]
        directories = ["~/models", "here", "/there"]
        [llama_server]
        path = "llama-server-vulkan"
        gpu_layers = "all"
        threads = 4
        [residency]
        memory = "12GiB"
        ttl = -1
        drain = 1.5
        devices = { cuda0 = "8GiB", cuda1 = 4096 }
        [access]
        rate = "2/s"
        [metrics]
        tiers = ["1m:1h"]
        [logging]
        console_level = "debug"
        """
    )
    config = read(path)
    assert config.http.listen == ("0.0.0.0:80", "unix:///x.sock")
    assert config.http.tls_cert == str(path.parent / "cert.pem")
    assert config.models.directories == (os.path.expanduser("~/models"), str(path.parent / "here"), "/there")  # noqa: PTH111
    assert config.llama_server.path == "llama-server-vulkan"
    assert config.llama_server.settings() == {"gpu_layers": "all", "threads": 4}
    assert (config.residency.memory, config.residency.ttl, config.residency.drain) == (12 << 30, -1.0, 1.5)
    assert config.residency.devices == {"cuda0": 8 << 30, "cuda1": 4096}
    assert (config.access.rate, config.metrics.tiers) == (120.0, (Tier(60, 3600),))
    assert config.directories.config_file == path


def test_an_empty_text_unsets_what_may_be_unset(write: Write) -> None:
    config = read(write('[llama_server]\npath = ""\n[residency]\nmemory = ""'))
    assert config.llama_server.path is None and config.residency.memory is None


def test_the_environment_says_it_in_text() -> None:
    config = read(
        LLAMACTL_HTTP_PORT="0",
        LLAMACTL_HTTP_LISTEN="127.0.0.1:9001:unix:///x.sock:[::1]:80",
        LLAMACTL_MODELS_WATCH="false",
        LLAMACTL_MODELS_DIRECTORIES="/a:/b,c:",
        LLAMACTL_LLAMA_SERVER_GPU_LAYERS="99",
        LLAMACTL_LLAMA_SERVER_PATH="",
        LLAMACTL_RESIDENCY_DEVICES="cuda0=8GiB:cuda1=1g",
        LLAMACTL_RESIDENCY_TTL="1h30m",
        LLAMACTL_RESTART_FACTOR="1.5",
        LLAMACTL_RESTART_CRASHES="",
    )
    assert config.http.port == 0
    assert config.http.listen == ("127.0.0.1:9001", "unix:///x.sock", "[::1]:80")
    assert config.models.watch is False and config.models.directories == ("/a", "/b,c")
    assert config.llama_server.gpu_layers == 99 and config.llama_server.path is None
    assert config.residency.devices == {"cuda0": 8 << 30, "cuda1": 1 << 30}
    assert (config.residency.ttl, config.restart.factor, config.restart.crashes) == (5400.0, 1.5, 5)


@pytest.mark.parametrize(
    "text, addresses",
    [
        ("0.0.0.0:80:[::1]:80,host:1:unix:///a:b:2", ["0.0.0.0:80", "[::1]:80", "host:1", "unix:///a", "b:2"]),
        ("https://a.example:8443:http://b:*", ["https://a.example:8443", "http://b", "*"]),
        ("localhost:llama.lan", ["localhost", "llama.lan"]),
        ("", []),
    ],
)
def test_addresses_keep_their_own_colons(text: str, addresses: list[str]) -> None:
    assert untext(tuple[Address, ...], text) == addresses


def test_other_variables_that_begin_so_are_left_alone() -> None:
    read(LLAMACTL_HOST="unix:///x", LLAMACTL_API_KEY="llk_1", LLAMACTL_COLOUR="x", LLAMACTL_HTTP="x")


# --- precedence ----------------------------------------------------------------------------------


def test_environment_before_user_before_system_before_default(write: Write, tmp_path: Path) -> None:
    system = tmp_path / "system.toml"
    system.write_text("[http]\nport = 1\nmax_body = 1\nhost = 'a'\n[restart]\ncrashes = 7")
    user = write("[http]\nport = 2\nmax_body = 2")
    config = read(user, system, LLAMACTL_HTTP_PORT="3")
    assert (config.http.port, config.http.max_body, config.http.host, config.restart.crashes) == (3, 2, "a", 7)
    assert config.http.cors_origins == ()


def test_the_users_file_is_found_or_named(tmp_path: Path) -> None:
    (tmp_path / "llamactl").mkdir()
    (tmp_path / "llamactl" / "config.toml").write_text("[http]\nport = 1")
    (tmp_path / "other.toml").write_text("[http]\nport = 2")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert load(None, environment, NO_FILE).http.port == 1
    environment["LLAMACTL_CONFIG"] = str(tmp_path / "other.toml")
    assert load(None, environment, NO_FILE).http.port == 2
    assert load(tmp_path / "llamactl" / "config.toml", environment, NO_FILE).http.port == 1


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert str(missing) in refused(missing).message
    assert str(missing) in refused(LLAMACTL_CONFIG=str(missing)).message


def test_the_service_reads_its_file_once(write: Write) -> None:
    path = write("[http]\nport = 1")
    environment = {"CONFIGURATION_DIRECTORY": str(path.parent)}
    assert load(None, environment, system_file=path).http.port == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root may read any file")
def test_a_system_file_that_may_not_be_read_is_passed_over_and_the_users_is_not(write: Write) -> None:
    path = write("[http]\nport = 1")
    path.chmod(0)
    assert read(None, path).http.port == 8134
    assert "may not read" in refused(path).message


# --- what is wrong, and where --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, line, says",
    [
        ("[http]\n\nprot = 1", 3, "unknown key http.prot"),
        ("[htp]\nport = 1", 1, "unknown section htp"),
        ("http = 5", 1, "http is a section"),
        ("[[http]]\nport = 1", 1, "http is a section"),
        ("\n[http]\nhost = 'x'\nport = '80'", 4, "http.port: expected int, got text"),
        ("[http]\nport = 70000", 2, "http.port: expected int <= 65535"),
        ("[http]\nport = true", 2, "http.port: expected int, got bool"),
        ("[http]\nhost = ''", 2, "http.host: expected text of length >= 1"),
        ("[http]\nlisten = 'a:1'", 2, "http.listen: expected a list, got a text"),
        ("[http]\nlisten = [\n'a:1',\n2]", 2, "http.listen: expected text, got int"),
        ("[http]\ntls_key = 3", 2, "http.tls_key: expected the path"),
        ("[http]\ntls_key = '~nosuchuser/x'", 2, "http.tls_key: no home directory"),
        ("[models]\ndefault = 1979-01-01", 2, "models.default: expected text, got date"),
        ("[residency]\nttl = 'soon'", 2, "residency.ttl: not a duration: 'soon'"),
        ("[residency]\ndrain = -1", 2, "residency.drain: a duration cannot be negative"),
        ("[residency]\ndrain = nan", 2, "residency.drain: not a number to work with"),
        ("[residency]\ndrain = true", 2, "residency.drain: expected a duration"),
        ("[residency]\nmargin = 1.5", 2, "residency.margin: expected a size"),
        ("[residency]\nmargin = '" + "9" * 400 + "'", 2, "residency.margin: not a number to work with"),
        ("[residency]\ndevices = ['x']", 2, "residency.devices: expected a table"),
        ("[residency]\n[residency.devices]\ncuda0 = 'big'", 2, "residency.devices: not a size"),
        ("[restart]\nfactor = inf", 2, "restart.factor: expected float <= 1000"),
        ("[access]\nanonymous = false", 2, "expected auto or none or infer or observe, got False"),
        ("[access]\nrate = 'often'", 2, "access.rate: expected a rate"),
        ("[metrics]\ntiers = ['1m']", 2, "metrics.tiers: expected step:kept"),
        ("[llama_server]\ngpu_layers = 'some'", 2, "expected a number or auto or all, got 'some'"),
        ("[llama_server]\ngpu_layers = -2", 2, "llama_server.gpu_layers: expected int >= -1"),
        ("[http]\nport = 08", 2, "Invalid number"),
        ("[http]\nport =", 2, "unfinished"),
        ("[http]\nport = 1\n[http]", 3, "already exists"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_key(write: Write, text: str, line: int, says: str) -> None:
    path = write(text)
    error = refused(path)
    assert error.message.startswith(f"{path}, line {line}: ") and says in error.message


def test_a_key_that_is_there_twice(write: Write) -> None:
    path = write("[http]\nport = 1\nport = 2")
    assert refused(path).message == f'{path}: Key "port" already exists.'


def test_a_misspelt_key_gets_the_right_one(write: Write) -> None:
    assert refused(write("[http]\nprot = 1")).hint == "did you mean http.port?"
    assert "residency" in refused(write("[zzz]\nx = 1")).hint


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[http]\nhost = '\xe9'"])
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    assert "UTF-8" in refused(tmp_path / "bad.toml").message


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbf[http]\nport = 1")
    assert read(tmp_path / "bom.toml").http.port == 1


def test_a_directory_instead_of_a_file(tmp_path: Path) -> None:
    assert "cannot read" in refused(tmp_path).message


@pytest.mark.parametrize(
    "variable, text, says",
    [
        ("LLAMACTL_HTTP_PORT", "many", "http.port: expected int, got text"),
        ("LLAMACTL_HTTP_PROT", "1", "unknown key http.prot"),
        ("LLAMACTL_RESIDENCY_DEVICES", "cuda0", "residency.devices: expected name=value"),
        ("LLAMACTL_RESIDENCY_TTL", "x", "residency.ttl: not a duration"),
        ("LLAMACTL_MODELS_WATCH", "maybe", "models.watch: expected bool"),
    ],
)
def test_a_bad_variable_is_named(variable: str, text: str, says: str) -> None:
    error = refused(None, **{variable: text})
    assert error.message.startswith(f"{variable} in the environment: ") and says in error.message


@pytest.mark.parametrize(
    "text, section, key, line",
    [
        ("[a]\n[b]\nx = 1\n", "b", "x", 3),
        ("[ 'b' ]\n\"x\" = 1\n", "b", "x", 2),
        ("b.x = 1\n", "b", "x", 1),
        ("\nb = { x = 1 }\n", "b", "x", 2),
        ("[a]\n[b.x]\ny = 1\n", "b", "x", 2),
        ("[a]\nx = 1\n# [b]\n# x = 1\n[b]\n# x = 1\nx = 2\n", "b", "x", 7),
        ("[b]\ny = 1\n[a]\n[b.z]\n", "b", "x", 1),
    ],
)
def test_the_line_of_a_key(text: str, section: str, key: str, line: int) -> None:
    assert line_of(text, section, key) == line


# --- any of it -----------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="~", exclude_categories=["Cs", "Cc"]), min_size=1)
PATHS = WORDS.map(lambda word: str(Path("/") / word))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    Duration: st.floats(0, 1e9),
    Idleness: st.floats(0, 1e9) | st.just(-1.0),
    Size: st.integers(0, 1 << 60),
    Rate: st.integers(0, 10**6).map(float),
    FilePath: PATHS,
    Program: PATHS,
    Address: WORDS,
    Tier: st.builds(Tier, st.integers(0, 10**6).map(float), st.integers(0, 10**6).map(float)),
    Factor: st.floats(1, 1000),
    Port: st.integers(0, 65535),
    Text: WORDS,
    str: st.just("") | WORDS,
    bool: st.booleans(),
    NoneType: st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Anything that a key of that type may be."""
    if kind in VALUES:
        return VALUES[kind]
    members = get_args(kind)
    if get_origin(kind) is Literal:
        return st.sampled_from(members)
    if get_origin(kind) is tuple:
        return st.lists(values(members[0]), max_size=3).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(WORDS, values(members[1]), max_size=3)
    if get_origin(kind) is Annotated:
        assert members[0] is int
        return st.integers(members[1].ge, 1 << 30)
    return st.one_of([values(member) for member in members])


def sections() -> st.SearchStrategy[dict[str, msgspec.Struct]]:
    of_kind = {
        name: st.builds(kind, **{field.name: values(field.type) for field in msgspec.structs.fields(kind)})
        for name, kind in SECTIONS.items()
    }
    return st.fixed_dictionaries(of_kind)


def as_toml(section: msgspec.Struct) -> dict[str, Any]:
    """What a person would write to get that."""
    written: dict[str, Any] = {}
    for key, value in msgspec.structs.asdict(section).items():
        if key == "tiers":
            written[key] = [f"{tier.step:.0f}:{tier.keep:.0f}s" for tier in value]
        elif value is not None:
            written[key] = list(value) if isinstance(value, tuple) else value
    return written


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(wanted=sections())
def test_what_is_written_is_what_is_read(write: Write, wanted: dict[str, msgspec.Struct]) -> None:
    config = read(write(tomlkit.dumps({name: as_toml(section) for name, section in wanted.items()})))
    for name, section in wanted.items():
        assert getattr(config, name) == section


PIECES = ["[http]", "[", "]", "port", "=", "1", '"', "'", "\n", "{", "}", ",", "#", "x", ".", "\\", "inf", "[[", "]]"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("[http]\nport = " + "9" * 5000)
@example("[http]\nport = " + "[" * 5000)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(write: Write, text: str) -> None:
    path = write("")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read(path)
    except BadRequest as error:
        assert error.message.startswith(str(path))


KINDS = list(dict.fromkeys(field.type for kind in SECTIONS.values() for field in msgspec.structs.fields(kind)))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(text=st.text(max_size=30) | st.text("0123456789.-:/=mhsGiB ", max_size=30))
def test_any_text_in_the_environment_is_read_or_refused(kind: Any, text: str) -> None:
    with suppress(BadRequest):
        read_value(kind, untext(kind, text), Path("/"), text=True)


def test_a_pipe_is_no_trap(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "cannot read" in refused(tmp_path / "s").message
