"""Asks a llama-server over its Unix socket.

One connection per question, by hand. `/health` is asked every 10 ms while a model loads, and each 503 says
`Connection: close`, so keeping a connection gains nothing. This costs 0.09 ms of processor time, a third of what
it takes with a fresh aiohttp client (half on uvloop), shows on the same connection who is at the other end, and
needs no import of 0.16 s.
"""

import os
import re
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

import anyio
import msgspec
from anyio.abc import SocketAttribute

from llamactl.core.errors import NotRunning
from llamactl.core.model import Told

TIMEOUT = 1.0
"""Seconds for one question, from connecting to the last byte."""

LARGEST = 4 * 1024 * 1024
"""Bytes of an answer at most. `/props` holds the chat template: 2 KB to some 100 KB."""

_ONE_TOKEN = b'{"prompt":"x","n_predict":1,"cache_prompt":false}'
_DECODES = re.compile(rb"^llamacpp:n_decode_total ([\d.e+]+)", re.MULTILINE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Answer(NamedTuple):
    """`peer` is the pid of the process that listens, or 0 where the kernel does not tell."""

    status: int
    body: bytes
    peer: int


class Generation(msgspec.Struct, frozen=True):
    n_ctx: int | None = None


class Props(msgspec.Struct, frozen=True):
    """What a llama-server says of itself; fields that its build does not tell are as here."""

    model_alias: str = ""
    model_path: str = ""
    total_slots: int = 1
    build_info: str = ""
    is_sleeping: bool = False
    default_generation_settings: Generation = Generation()

    @property
    def context(self) -> int | None:
        """Tokens that each slot can take."""
        return self.default_generation_settings.n_ctx


async def health(endpoint: str, session: int) -> bool:
    """Does a process of this session answer `/health` with 200 at the socket `endpoint`?

    False while it loads (503), while nothing listens, or when no answer came within `TIMEOUT`; and when
    the answer is somebody else's: a 200 from a foreign server is not readiness.
    """
    try:
        answer = await ask(endpoint, "/health")
    except (NotRunning, ValueError):
        return False
    return answer.status == 200 and _in_session(answer.peer, session)


async def props(endpoint: str) -> Props:
    """Raises `NotRunning` when nothing answers, or not as a llama-server does."""
    try:
        return msgspec.json.decode((await ask(endpoint, "/props")).body, type=Props)
    except (ValueError, msgspec.DecodeError) as error:
        raise NotRunning(f"what answers at {endpoint} is not a llama-server: {error}", "llamactl ps") from None


class _Modalities(msgspec.Struct):
    vision: bool = False
    audio: bool = False


class _Template(msgspec.Struct):
    chat_template: str = ""
    modalities: _Modalities = msgspec.field(default_factory=_Modalities)


class _Meta(msgspec.Struct):
    n_params: int | None = None
    n_ctx_train: int | None = None
    n_vocab: int | None = None
    n_embd: int | None = None


class _Listed(msgspec.Struct):
    meta: _Meta | None = None


class _List(msgspec.Struct):
    data: list[_Listed] = []


async def told(endpoint: str) -> Told:
    """What it says of its model. Raises as `props` does."""
    try:
        props = msgspec.json.decode((await ask(endpoint, "/props")).body, type=_Template)
        listed = msgspec.json.decode((await ask(endpoint, "/v1/models")).body, type=_List)
    except (ValueError, msgspec.DecodeError) as error:
        raise NotRunning(f"what answers at {endpoint} is not a llama-server: {error}", "llamactl ps") from None
    meta = next((one.meta for one in listed.data if one.meta is not None), _Meta())
    seen = {"image": props.modalities.vision, "audio": props.modalities.audio}
    return Told(
        parameters=meta.n_params,
        context_length=meta.n_ctx_train,
        vocabulary=meta.n_vocab,
        embedding_length=meta.n_embd,
        chat_template=bool(props.chat_template),
        modalities=tuple(modality for modality, true in seen.items() if true),
    )


async def decodes(endpoint: str) -> int | None:
    """How many batches it has decoded since its start; None when it does not answer, or does not count them.

    Of its numbers this alone moves while it generates. The loop that decodes is the one that answers, so a batch that
    takes longer than `TIMEOUT` is in the way. Asking wakes a server that sleeps.
    """
    with suppress(NotRunning, ValueError):
        found = _DECODES.search((await ask(endpoint, "/metrics")).body)
        return int(float(found[1])) if found else None
    return None


async def listens(endpoint: str) -> bool:
    """False when nobody takes connections there any more, for certain. One that is busy, or stopped, still does.

    A llama-server that was told to end by somebody else closes its socket first, and then waits, without an end, for a
    request that is not streamed: measured, 40 s after SIGTERM it neither answered nor left.
    """
    try:
        with anyio.move_on_after(TIMEOUT):
            async with await anyio.connect_unix(endpoint):
                return True
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except OSError:  # no room in its queue, say
        return True
    return True


async def probe(endpoint: str, timeout: float) -> bool:
    """Does it give one token within so many seconds?"""
    with suppress(NotRunning, ValueError):
        return (await ask(endpoint, "/completion", _ONE_TOKEN, timeout)).status == 200
    return False


async def ask(endpoint: str, path: str, body: bytes = b"", timeout: float = TIMEOUT) -> Answer:
    """GET `path`, or POST a body of JSON.

    Raises `NotRunning` when nothing answers in time, `ValueError` when it is not HTTP.
    """
    with suppress(OSError, anyio.EndOfStream, anyio.BrokenResourceError), anyio.move_on_after(timeout):
        async with await anyio.connect_unix(endpoint) as stream:
            # Of 1.0, so that the connection ends with the answer. Errors leave it open for 5 s all the
            # same, hence the length.
            about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
            head = f"{'POST' if body else 'GET'} {path} HTTP/1.0\r\nHost: llamactl\r\n{about}\r\n"
            await stream.send(head.encode() + body)
            received = await stream.receive()
            while (whole := _whole(received)) is None:
                received += await stream.receive()
            status, body = whole
            return Answer(status, body, _peer(stream.extra(SocketAttribute.raw_socket)))
    raise NotRunning(f"no llama-server answers at {endpoint}", "llamactl ps")


def _whole(received: bytes) -> tuple[int, bytes] | None:
    """Status and body, once all has come."""
    head, blank, body = received.partition(b"\r\n\r\n")
    if len(received) > LARGEST or not head.startswith(b"HTTP/"[: len(head)]):
        raise ValueError("not an HTTP answer of sensible size")
    if not blank:
        return None
    length = _LENGTH.search(head)
    if length is None:
        raise ValueError("an answer without a length")
    wanted = int(length[1])
    return (int(head[9:12]), body[:wanted]) if len(body) >= wanted else None


def _peer(connection: socket.socket) -> int:
    if hasattr(socket, "SO_PEERCRED"):
        # struct ucred {pid_t pid; uid_t uid; gid_t gid}: of the process that called listen().
        return int.from_bytes(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    return connection.getsockopt(0, 2)  # macOS: SOL_LOCAL, LOCAL_PEERPID


def _in_session(pid: int, session: int) -> bool:
    with suppress(OSError):  # it has ended since
        return pid > 0 and os.getsid(pid) == session
    return False
