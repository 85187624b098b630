"""The head of an answer from upstream: how its body ends, and what of it is passed on. (pure)"""

import re

MAX_HEAD = 64 << 10
"""Bytes."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?![^ \r])")
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|keep-alive|x-request-id|access-control-[a-z-]+)[ \t]*:[ \t]*"
    rb"([^\r\n]*)",
    re.IGNORECASE,
)
_EVENTS = re.compile(rb"\r\ncontent-type:[ \t]*text/event-stream", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,15})\r\n")
_REMEMBERED = 256


class Answer:
    """`wire` is how it goes to the client, but for framing and the empty line. What llama-server says to browsers is
    left out: it allows everything to every page.

    `sized`: its length was announced. `chunked`: it says itself where it ends. Neither: it ends with the
    connection. `keep`: the connection may be used again. `events`: an event stream in chunks.
    """

    __slots__ = ("chunked", "events", "keep", "sized", "status", "wire")

    def __init__(self, status: int, wire: bytes, *, sized: bool, chunked: bool, keep: bool, events: bool) -> None:
        self.status = status
        self.wire = wire
        self.sized = sized
        self.chunked = chunked
        self.keep = keep
        self.events = events


_answers: dict[bytes, Answer] = {}
"""By their bytes with 0 as Content-Length, for the reason given at `request._heads`."""


_whole: dict[bytes, tuple[Answer, int]] = {}
"""The latest of them to the last digit."""


def read(data: bytes, end: int) -> tuple[Answer, int] | None:
    """The head `data[:end]` (up to its empty line) and the length of the body; None if this is not HTTP."""
    head = data[:end]
    known = _whole.get(head)
    if known is not None:
        return known
    match = _LENGTH.search(data, 0, end + 2)
    if match is None:
        length, template = 0, head
    else:
        length, template = int(match[1]), data[: match.start(1)] + b"0" + data[match.end(1) : end]
    answer = _answers.get(template)
    if answer is None:
        parsed = _parse(head)
        if parsed is None:
            return None
        answer, announced = parsed
        if match is None and announced:
            return answer, announced  # written in a way that the template does not know
        if len(_answers) >= _REMEMBERED:
            _answers.clear()
        _answers[template] = answer
    if len(_whole) >= _REMEMBERED:
        _whole.clear()
    _whole[head] = found = answer, length
    return found


def _parse(head: bytes) -> tuple[Answer, int] | None:
    status = _STATUS.match(head)
    if status is None:
        return None
    lengths: list[bytes] = []
    chunked, keep = False, status[1] == b"1"
    for name, value in _FRAMING.findall(head):
        match name.lower():
            case b"content-length":
                lengths.append(value.strip())
            case b"transfer-encoding":
                chunked = True
            case b"connection":
                keep = keep and b"close" not in value.lower()
    sized = bool(lengths) and not chunked and status[2] not in (b"204", b"304")  # these have no body whatever they say
    length = lengths.pop() if lengths else b"0"
    if lengths or not length.isdigit():
        return None  # two lengths, or none that is a number
    events = chunked and _EVENTS.search(head) is not None
    wire = b"HTTP/1.1" + _FRAMING.sub(b"", head)[8:] + b"\r\n"
    return Answer(int(status[2]), wire, sized=sized, chunked=chunked, keep=keep, events=events), int(length)
