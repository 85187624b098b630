"""Listening, and being told who is in the way."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from llamactl.core.errors import BadRequest, LlamactlError, Refused
from llamactl.daemon import ports
from llamactl.daemon.ports import url


class Listen(Protocol):
    def __call__(self, spec: str, *, insecure: bool = False) -> socket.socket: ...


@pytest.fixture
def listen() -> Iterator[Listen]:
    """`ports.listen`; whatever came of it is closed at the end."""
    with ExitStack() as stack:

        def listen(spec: str, *, insecure: bool = False) -> socket.socket:
            return stack.enter_context(closing(ports.listen(spec, insecure=insecure)))

        yield listen


def refused(spec: str, kind: type[LlamactlError] = Refused) -> LlamactlError:
    with pytest.raises(kind) as caught:
        ports.listen(spec, insecure=False)
    assert caught.value.hint
    return caught.value


def answers(listener: socket.socket) -> bool:
    with socket.socket(listener.family) as caller:
        caller.connect(listener.getsockname())
        listener.setblocking(True)
        listener.accept()[0].close()
        return True


has_ipv6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")


# --- TCP -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "host"),
    [
        ("127.0.0.1:0", "127.0.0.1"),
        ("127.0.0.2:0", "127.0.0.2"),
        ("localhost:0", None),
        (":0", "127.0.0.1"),
        pytest.param("[::1]:0", "::1", marks=has_ipv6),
        pytest.param("::1:0", "::1", marks=has_ipv6),
    ],
)
def test_listening(listen: Listen, spec: str, host: str | None) -> None:
    listener = listen(spec)
    assert listener.getsockname()[0] == (host or listener.getsockname()[0])
    assert not listener.getblocking()
    assert listener.proto == socket.IPPROTO_TCP  # by which asyncio knows that it may set TCP_NODELAY
    assert answers(listener)


def test_a_port_that_was_just_left_can_be_had_again(listen: Listen) -> None:
    first = ports.listen("127.0.0.1:0", insecure=False)
    port = first.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        first.setblocking(True)
        first.accept()[0].close()  # which leaves the connection in TIME_WAIT
    first.close()
    assert answers(listen(f"127.0.0.1:{port}"))


def test_a_port_in_use_names_the_process(listen: Listen) -> None:
    port = listen("127.0.0.1:0").getsockname()[1]
    error = refused(f"127.0.0.1:{port}")
    name = psutil.Process().name()
    assert error.message == f"port {port} is in use by {name} (pid {os.getpid()})"
    assert "LLAMACTL_HTTP_PORT" in error.hint


def test_a_port_in_use_by_somebody_who_cannot_be_seen(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(kind: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    port = listen("127.0.0.1:0").getsockname()[1]
    assert refused(f"127.0.0.1:{port}").message == f"port {port} is in use"


def test_an_address_of_another_machine() -> None:
    with pytest.raises(Refused, match=r"cannot listen on 192\.0\.2\.1:0: "):
        ports.listen("192.0.2.1:0", insecure=True)


@pytest.mark.parametrize("spec", ["0.0.0.0:0", pytest.param("[::]:0", marks=has_ipv6), "192.0.2.1:0"])
def test_beyond_this_machine_only_if_that_is_meant(listen: Listen, spec: str) -> None:
    error = refused(spec)
    assert "can be reached from other machines" in error.message
    assert "llamactl daemon start --insecure" in error.hint
    if not spec.startswith("192"):
        assert answers(listen(spec, insecure=True))


@pytest.mark.parametrize(
    "spec",
    [
        "", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", ":-1", "127.0.0.1:65536", "127.0.0.1:8 0",
        "127.0.0.1:²", "127.0.0.1:٣", "http://127.0.0.1:80/", "[::zz]:80", "a..b:80", f"{'x' * 64}.org:80",
    ],
)  # fmt: skip
def test_what_is_no_address(spec: str) -> None:
    assert spec in refused(spec, BadRequest).message


# --- Unix sockets --------------------------------------------------------------------------------


def test_listening_on_a_path(listen: Listen, tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    mask = os.umask(0o022)
    try:
        listener = listen(f"unix://{path}")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not listener.getblocking()
    assert answers(listener)


def test_a_socket_that_was_left_behind_is_replaced(listen: Listen, tmp_path: Path) -> None:
    path = tmp_path / "door.sock"
    ports.listen(f"unix://{path}", insecure=False).close()
    assert path.exists()
    assert answers(listen(f"unix://{path}"))


def test_a_socket_that_somebody_listens_on_is_left_to_them(listen: Listen, tmp_path: Path) -> None:
    theirs = listen(f"unix://{tmp_path}/door.sock")
    assert "somebody listens on unix://" in refused(f"unix://{tmp_path}/door.sock").message
    theirs.setblocking(True)
    theirs.accept()[0].close()  # that was us, looking
    assert answers(theirs)


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("x")
    assert "is not a socket" in refused(f"unix://{path}").message
    assert path.read_text() == "x"


@pytest.mark.parametrize("name", ["missing/door.sock", "x" * 200, "x" * 300, "file/door.sock", "."])
def test_a_path_that_cannot_be_had(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    mask = os.umask(0o022)
    try:
        assert str(tmp_path) in refused(f"unix://{tmp_path}/{name}").message
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)


# --- as shown ------------------------------------------------------------------------------------


def test_as_a_url(listen: Listen, tmp_path: Path) -> None:
    listener = listen("127.0.0.1:0")
    assert url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert url(listen(f"unix://{tmp_path}/a.sock")) == f"unix://{tmp_path}/a.sock"


@has_ipv6
def test_as_a_url_with_an_address_that_has_colons(listen: Listen) -> None:
    listener = listen("[::1]:0")
    assert url(listener) == f"http://[::1]:{listener.getsockname()[1]}"


# --- from somebody else --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "insecure", "protected", "allowed"),
    [
        ("127.0.0.1", False, False, True),
        ("0.0.0.0", False, False, False),
        ("0.0.0.0", True, False, True),
        ("0.0.0.0", False, True, True),
    ],
)
def test_who_binds_it_does_not_decide_who_may_reach_it(
    host: str, insecure: bool, protected: bool, allowed: bool
) -> None:
    number = socket.create_server((host, 0)).detach()
    if not allowed:
        with pytest.raises(Refused, match="keys and TLS"):
            ports.given(number, insecure=insecure, protected=protected)
        return
    with ports.given(number, insecure=insecure, protected=protected) as listener:
        assert listener.proto == socket.IPPROTO_TCP, "or streams wait for 40 ms"
        assert not listener.getblocking()
