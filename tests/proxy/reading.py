"""What a `Reader` makes of bytes, in values that compare."""

from collections.abc import Iterable

from llamactl.core.errors import BadRequest
from llamactl.proxy.request import Reader, Request
from tests.proxy.wire import Sent, requests

LIMIT = 1 << 20


def read(*pieces: bytes, max_body: int = LIMIT) -> Reader:
    """What they become, fed as the door feeds them."""
    reader = Reader(max_body)
    for piece in pieces:
        feed(reader, piece)
    return reader


def feed(reader: Reader, piece: bytes) -> None:
    """The door reads straight into `place` while there is one."""
    while reader.place is not None and piece:
        count = min(len(piece), len(reader.place))
        reader.place[:count] = piece[:count]
        reader.filled(count)
        piece = piece[count:]
    if piece and (request := reader.whole(piece)):
        reader.requests.append(request)
    elif piece:
        reader.feed(piece)


def emitted(request: Request) -> Sent:
    """What somebody else reads in what goes upstream."""
    assert request.fault is None, request.fault
    [sent] = requests(request.wire(len(request.body)) + bytes(request.body))
    assert (sent.method, sent.target, sent.body) == (request.head.method, request.head.target, bytes(request.body))
    return sent


def all_emitted(reader: Reader) -> list[Sent]:
    return [emitted(request) for request in reader.requests]


def fault(reader: Reader) -> BadRequest:
    """Why the last request was refused; those before it are valid, and nothing more is read."""
    *before, last = reader.requests
    assert last.fault is not None, emitted(last)
    assert [request.fault for request in before] == [None] * len(before)
    assert reader.ended
    assert not reader.in_head
    assert not reader.in_body
    assert reader.place is None
    reader.feed(b"GET / HTTP/1.1\r\n\r\n")
    assert list(reader.requests) == [*before, last]
    assert isinstance(last.fault, BadRequest)
    return last.fault


def bytewise(data: bytes) -> Iterable[bytes]:
    return (data[i : i + 1] for i in range(len(data)))
