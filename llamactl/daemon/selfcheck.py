"""Whether the daemon answers those who ask it, tried as they would."""

import socket
import ssl
from collections.abc import Awaitable
from pathlib import Path

import anyio
from anyio.abc import ByteStream

from llamactl.core.errors import LlamactlError
from llamactl.rpc import messages
from llamactl.rpc.calls import Status

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def check(control: Path, door: socket.socket, *, tls: bool, patience: float) -> None:
    """Asks over the control socket and at a listener of the door; raises a `LlamactlError` if one has no answer.

    Any answer of the door will do: what is behind it is looked after elsewhere. `patience` is in seconds, for each.
    """
    await _answered("the control socket", anyio.connect_unix(control), messages.question(Status(), 1), patience)
    await _answered("the front door", _connect(door, tls=tls), REQUEST, patience)


async def _answered(who: str, connecting: Awaitable[ByteStream], question: bytes, patience: float) -> None:
    try:
        with anyio.fail_after(patience):
            async with await connecting as stream:
                await stream.send(question)
                await stream.receive()
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError) as error:  # with that of time
        raise LlamactlError(f"{who} does not answer: {error!r}") from None


async def _connect(door: socket.socket, *, tls: bool) -> ByteStream:
    address = door.getsockname()
    if door.family == socket.AF_UNIX:
        return await anyio.connect_unix(address)
    if not tls:
        return await anyio.connect_tcp(*address[:2])
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is us, whatever name the certificate has
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    return await anyio.connect_tcp(*address[:2], tls=True, ssl_context=anybody, tls_standard_compatible=False)
