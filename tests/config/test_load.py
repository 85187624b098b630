"""Which file and variable wins, and what is said of a wrong one."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.config.lines import line_of, lines
from llamactl.config.load import load, problems, survey, user_file
from llamactl.config.origin import Origin
from llamactl.config.sources import find
from llamactl.config.values import Idleness
from llamactl.core.errors import BadRequest

from .reading import NO_FILE, Write, read, refused


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
        ("\n[http]\nhost = 'x'\nport = '80'", 4, "http.port: expected a whole number from 0 to 65535, got '80'"),
        ("[http]\nport = 70000", 2, "http.port: expected a whole number from 0 to 65535, got 70000"),
        ("[http]\nport = true", 2, "http.port: expected a whole number from 0 to 65535, got true"),
        ("[http]\nhost = ''", 2, "http.host: expected a text that is not empty, got ''"),
        ("[http]\nlisten = 'a:1'", 2, "http.listen: expected a list, got a text"),
        ("[http]\nlisten = [\n'a:1',\n2]", 2, "http.listen: expected an address, got 2"),
        ("[http]\ntls_key = 3", 2, "http.tls_key: expected the path"),
        ("[http]\ntls_key = '~nosuchuser/x'", 2, "http.tls_key: no home directory"),
        ("[models]\ndefault = 1979-01-01", 2, "models.default: expected a text, got date"),
        ("[residency]\nttl = 'soon'", 2, "residency.ttl: not a duration: 'soon'"),
        ("[residency]\ndrain = -1", 2, "residency.drain: a duration cannot be negative"),
        ("[residency]\ndrain = nan", 2, "residency.drain: not a"),
        ("[residency]\ndrain = true", 2, "residency.drain: expected a duration"),
        ("[residency]\nmargin = 1.5", 2, "residency.margin: expected a size"),
        ("[residency]\nmargin = '" + "9" * 400 + "'", 2, "residency.margin: not a"),
        ("[residency]\ndevices = ['x']", 2, "residency.devices: expected a table"),
        ("[residency]\n[residency.devices]\ncuda0 = 'big'", 2, "residency.devices: not a size"),
        ("[restart]\nfactor = inf", 2, "restart.factor: expected a number from 1 to 1000, got inf"),
        ("[access]\nanonymous = false", 2, "expected auto, none, infer or observe, got false"),
        ("[access]\nrate = 'often'", 2, "access.rate: expected a rate"),
        ("[metrics]\ntiers = ['1m']", 2, "metrics.tiers: expected step:kept"),
        ("[llama_server]\ngpu_layers = 'some'", 2, "llama_server.gpu_layers: cannot be 'some': it may be auto, all or"),
        ("[llama_server]\ngpu_layers = -3", 2, "llama_server.gpu_layers: cannot be '-3': it may be auto, all or"),
        ("[llama_server]\nhf_token = ['hunter2']", 2, "llama_server.hf_token: cannot be ***: it may be a text"),
        ("[http]\nport = 08", 2, "Expected newline or end of document after a statement"),
        ("[http]\nport =", 2, "Invalid value"),
        ("[http]\nport = 1\n[http]", 3, "the table 'http' is there twice"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_key(write: Write, text: str, line: int, says: str) -> None:
    path = write(text)
    error = refused(path)
    assert error.message.startswith(f"{path}, line {line}: ") and says in error.message


def test_a_key_that_is_there_twice(write: Write) -> None:
    path = write("[http]\nport = 1\nport = 2")
    assert refused(path).message == f"{path}, line 3: http.port is there twice"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("parallel", "it is llama_server.n_parallel here"),
        ("n-gpu-layers", "it is llama_server.gpu_layers here"),
        ("host", "its own address is http.host"),
        ("ctx_sise", "did you mean llama_server.ctx_size?"),
        ("zzz", "llamactl config show -v"),
    ],
)
def test_settings_of_llama_server_have_one_name(write: Write, key: str, hint: str) -> None:
    assert hint in refused(write(f"[llama_server]\n{key} = 1")).hint


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
        ("LLAMACTL_HTTP_PORT", "many", "http.port: expected a whole number from 0 to 65535, got 'many'"),
        ("LLAMACTL_HTTP_PROT", "1", "unknown key http.prot"),
        ("LLAMACTL_RESIDENCY_DEVICES", "cuda0", "residency.devices: expected name=value"),
        ("LLAMACTL_RESIDENCY_TTL", "x", "residency.ttl: not a duration"),
        ("LLAMACTL_MODELS_WATCH", "maybe", "models.watch: expected true or false, got 'maybe'"),
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


def test_a_pipe_is_no_trap(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "cannot read" in refused(tmp_path / "s").message


# --- where a value comes from --------------------------------------------------------------------


def test_every_value_knows_where_it_comes_from(write: Write, tmp_path: Path) -> None:
    system = tmp_path / "system.toml"
    system.write_text("[http]\nport = 1\nhost = 'a'\n")
    user = write("# mine\n[http]\n\nport = 2\n[residency]\nttl = 5\n")
    found = survey(user, {"XDG_CONFIG_HOME": "/nonexistent", "LLAMACTL_RESIDENCY_TTL": "7"}, system)
    assert found.origin(("http", "port")) == Origin("file", str(user), 4)
    assert found.origin(("http", "host")) == Origin("file", str(system), 3)
    assert found.origin(("residency", "ttl")) == Origin("environment", variable="LLAMACTL_RESIDENCY_TTL")
    assert found.origin(("http", "listen")) == Origin()
    assert [str(found.origin(("http", key))) for key in ("port", "listen")] == [f"{user}, line 4", "default"]
    assert found.files == (system, user)
    assert found.config.residency.ttl == 7.0


def test_an_empty_variable_is_none(write: Write) -> None:
    found = survey(write("[http]\nport = 2"), {"XDG_CONFIG_HOME": "/x", "LLAMACTL_HTTP_PORT": ""}, NO_FILE)
    assert found.config.http.port == 2 and found.origin(("http", "port")).source == "file"


def test_everything_that_is_wrong_is_told_at_once(write: Write, tmp_path: Path) -> None:
    system = tmp_path / "system.toml"
    system.write_text("[http")
    user = write("[http]\nprot = 1\nport = 'x'\n[nothing]\n[residency]\nttl = 'soon'")
    found = problems(user, {"XDG_CONFIG_HOME": "/x", "LLAMACTL_MODELS_WATCH": "maybe"}, system)
    where = [error.message.partition(": ")[0] for error in found]
    environment = "LLAMACTL_MODELS_WATCH in the environment"
    lines = [f"{user}, line {number}" for number in (2, 4, 3, 6)]
    assert sorted(where) == sorted([f"{system}, line 1", *lines, environment])
    assert problems(write(""), {"XDG_CONFIG_HOME": "/x"}, NO_FILE) == []


def test_the_file_that_changes_go_to() -> None:
    assert user_file(None, {"XDG_CONFIG_HOME": "/c"}) == Path("/c/llamactl/config.toml")
    assert user_file(None, {"XDG_CONFIG_HOME": "/c", "LLAMACTL_CONFIG": "/x.toml"}) == Path("/x.toml")
    assert user_file(Path("/y.toml"), {"LLAMACTL_CONFIG": "/x.toml"}) == Path("/y.toml")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("http.prot", "did you mean http.port"),
        ("residency.tll", "did you mean residency.ttl"),
        ("ttl", "did you mean residency.ttl"),
        ("http.ttl", "did you mean residency.ttl"),
        ("htpp.port", "did you mean http.port"),
        ("http", "llamactl config show -v"),
        ("", "llamactl config show -v"),
        ("http.", "llamactl config show -v"),
        ("llama_server.parallel", "it is llama_server.n_parallel here"),
        ("llama_server.port", "llamactl decides where llama-server listens"),
    ],
)
def test_a_key_that_does_not_exist(name: str, hint: str) -> None:
    with pytest.raises(BadRequest, match=f"unknown key {name}") as caught:
        find(name)
    assert hint in caught.value.hint


def test_a_key_that_exists() -> None:
    assert find("residency.ttl") == (("residency", "ttl"), Idleness)


# --- lines ---------------------------------------------------------------------------------------


def test_what_stands_inside_a_value_is_no_line_of_its_own() -> None:
    text = 'a.x = """\n[b]\nx = 1\n"""\n[b]\nlist = [\n  "x = 2", # x = 3\n  "]",\n]\nx = 4\n'
    assert line_of(text, "b") == 5
    assert line_of(text, "b", "x") == 10
    assert line_of(text, "a", "x") == 1
    assert [(line.first, line.last) for line in lines(text) if line.key == ("list",)] == [(6, 9)]


@given(st.text("a.=[]\"'#\n {},\\1", max_size=60) | st.text(max_size=60))
def test_any_text_has_all_its_lines(text: str) -> None:
    found = list(lines(text))
    assert [line.first for line in found] == [1, *(line.last + 1 for line in found[:-1])]
    assert found[-1].last == text.count("\n") + 1
