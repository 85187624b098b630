"""What clients are told of llama-servers that died or did not load. (pure)"""

from collections.abc import Sequence

import msgspec

from llamactl.core.errors import BadRequest, LlamactlError, LoadFailed, UpstreamDied
from llamactl.core.exits import MEANING
from llamactl.core.instance import Exit


def died(error: UpstreamDied, exit: Exit) -> UpstreamDied:
    """With its class of death."""
    return UpstreamDied(f"{error.message}; {exit.kind}: {MEANING[exit.kind]} ({exit.reason})", error.hint)


def with_lines(error: LlamactlError, lines: Sequence[str]) -> LlamactlError:
    """A failed load, with the last lines that llama-server wrote."""
    if not lines or not isinstance(error, LoadFailed):
        return error
    told = "\n".join((f"{error.message}; its last lines:", *lines))
    return type(error)(told, error.hint, error.retry_after)


class _Told(msgspec.Struct):
    message: str


class _Failed(msgspec.Struct):
    error: _Told


def answered(status: int, body: bytes) -> LlamactlError:
    """What llama-server answered instead of the stream that the client was promised."""
    try:
        message = msgspec.json.decode(body, type=_Failed).error.message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = f"llama-server answered {status}, and no stream"
    return BadRequest(message) if 400 <= status < 500 else LlamactlError(message)
