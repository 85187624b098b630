"""Which requests are asked for as streams. (pure)"""

import mmap

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.proxy.asked import Asked
from llamactl.proxy.asked import asked as read
from llamactl.proxy.gather.chat import Chat
from llamactl.proxy.gather.message import Message
from llamactl.proxy.gather.native import Native
from llamactl.proxy.gather.response import Response
from llamactl.proxy.gather.stream import Gather
from llamactl.proxy.gather.text import Text
from llamactl.proxy.shaping import edit

_STREAM = {"stream": b"true"}
_WITH_USAGE = {"stream": b"true", "stream_options": b'{"include_usage":true}'}
_ADDED: dict[type[Gather], bytes] = {Chat: b',"stream":true,"stream_options":{"include_usage":true}'}

_BY_PATH: dict[bytes, type[Gather]] = {
    b"/v1/chat/completions": Chat,
    b"/chat/completions": Chat,
    b"/v1/completions": Text,
    b"/completions": Native,
    b"/completion": Native,
    b"/infill": Native,
    b"/v1/messages": Message,
    b"/v1/responses": Response,
    b"/responses": Response,
}


def as_stream(path: bytes, body: bytes | mmap.mmap, asked: Asked | None = None) -> bytes | None:
    """The body, so that it is answered as a stream; None where it should stay as it is. `asked`: what it says."""
    gather = _BY_PATH.get(path)
    if gather is None:
        return None
    if asked is None:
        try:
            asked = read(body)
        except BadRequest:
            return None
    if asked.stream or asked.return_tokens or asked.verbose or asked.response_fields:
        return None
    probabilities = asked.logprobs or asked.top_logprobs or asked.n_probs
    if probabilities and (asked.stop or gather not in (Text, Native)):
        return None
    if (asked.n or asked.n_cmpl or 1) != 1 and gather in (Message, Response):
        return None
    if asked.reasoning_format == "deepseek-legacy":  # puts it into the content, but of streams only
        return None
    if asked.stream is msgspec.UNSET and asked.stream_options is msgspec.UNSET:
        end = body.rfind(b"}")
        if body[max(0, end - 8) : end].rstrip()[-1:] not in (b"", b"{"):  # something is before it; the usual case
            return b"%b%b%b" % (body[:end], _ADDED.get(gather, b',"stream":true'), body[end:])
    return edit(body, _WITH_USAGE if gather is Chat else _STREAM)


def gather(path: bytes) -> Gather:
    """For an answer of llama-server at `path`."""
    return _BY_PATH[path]()


def streams(path: bytes) -> bool:
    """Can it be answered with a stream?"""
    return path in _BY_PATH
