"""Listening sockets of the front door, and who is in the way of one."""

import errno
import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from llamactl.core.errors import BadRequest, Refused
from llamactl.metrics.host import listener as who_listens


def listen(spec: str, *, insecure: bool, protected: bool = False, inherited: int | None = None) -> socket.socket:
    """A listening socket for `host:port`, `[v6]:port` or `unix:///path`; the one that is `inherited`, if one is.

    Raises `Refused` when the address is taken (naming the process where it can be seen), not to be had, or
    open to others, neither `protected` by keys and TLS nor `insecure`; `BadRequest` when it is no address.
    """
    if spec.startswith("unix://"):
        if inherited is not None:
            return socket.socket(fileno=inherited)
        return _listen_unix(Path(spec.removeprefix("unix://")))
    listener, address = unbound(spec)
    if not _loops(str(address[0])) and not (protected or insecure):
        listener.close()
        raise _unprotected(spec)
    if inherited is not None:
        listener.close()
        return socket.socket(fileno=inherited)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            port = int(address[1])
            holder = who_listens(port)
            raise Refused(f"port {port} is in use{holder and f' by {holder}'}", _OTHER_PORT) from None
        raise Refused(f"cannot listen on {spec}: {error.strerror}", _OTHER_PORT) from None
    listener.setblocking(False)
    return listener


def unbound(spec: str) -> tuple[socket.socket, tuple[Any, ...]]:
    """For `host:port` or `[v6]:port` (without a host 127.0.0.1), a socket, and the address that it is to be bound to.

    Raises `BadRequest` when it is no address.
    """
    host, _, port = spec.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadRequest(f"not an address to listen on: {spec!r}", "write host:port or unix:///path")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]") or "127.0.0.1", int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadRequest(f"cannot listen on {spec}: {why}", "check http.host") from None
    # With protocol 0 asyncio would not set TCP_NODELAY, which costs each stream 40 ms.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener, address


def given(number: int, *, insecure: bool, protected: bool) -> socket.socket:
    """The same for one that somebody else has bound, by its file descriptor."""
    listener = socket.socket(fileno=number)
    if exposed(listener) and not (protected or insecure):
        where = url(listener)
        listener.close()
        raise _unprotected(where)
    listener.setblocking(False)
    return listener


def _unprotected(where: str) -> Refused:
    return Refused(
        f"{where} can be reached from other machines; that takes keys and TLS",
        "llamactl keys create NAME, and http.tls_cert; or llamactl daemon start --insecure, if it is meant so",
    )


_OTHER_PORT = "stop it, or choose another port: LLAMACTL_HTTP_PORT, or http.port in the configuration"


def exposed(listener: socket.socket) -> bool:
    """Can other machines reach it?"""
    return listener.family != socket.AF_UNIX and not _loops(listener.getsockname()[0])


def _loops(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def url(listener: socket.socket, *, tls: bool = False) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix://{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    old_umask = os.umask(0o177)
    try:
        _make_way(path)
        listener.bind(str(path))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise Refused(f"cannot listen on unix://{path}: {error.strerror or error}", "check http.listen") from None
    except Refused:
        listener.close()
        raise
    finally:
        os.umask(old_umask)
    listener.setblocking(False)
    return listener


def _make_way(path: Path) -> None:
    """Remove a socket that was left behind."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise Refused(f"{path} exists and is not a socket", "remove it, or choose another path in http.listen")
        with socket.socket(socket.AF_UNIX) as caller, suppress(ConnectionRefusedError):
            caller.setblocking(False)
            caller.connect(str(path))
            raise Refused(f"somebody listens on unix://{path}", "stop them, or choose another path in http.listen")
        path.unlink()
