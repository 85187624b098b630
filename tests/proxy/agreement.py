"""Nobody behind the door may read a request differently than it was read there."""

import re
from collections.abc import Iterable

from llamactl.proxy.request import Reader
from tests.proxy.reading import LIMIT, emitted, feed
from tests.proxy.wire import Malformed, take_request

_SPACES = re.compile(rb"\A([A-Z-]+) +([\x21-\xff]+) +")
"""Around the target; more than one is forgiven, and one goes upstream."""


def agree(data: bytes, pieces: Iterable[bytes]) -> None:
    """Not every request that could be understood need be accepted; but those that are, are that and nothing else."""
    whole = Reader(LIMIT)
    feed(whole, data)
    again = Reader(LIMIT)
    for piece in pieces:
        feed(again, piece)
    accepted = [emitted(request) for request in whole.requests if request.fault is None]
    assert [emitted(request) for request in again.requests if request.fault is None] == accepted
    assert (again.ended, again.in_head, again.in_body) == (whole.ended, whole.in_head, whole.in_body)
    for sent in accepted:
        data = _SPACES.sub(rb"\1 \2 ", data.lstrip(b"\r\n"))
        taken = take_request(data)
        assert taken is not None
        assert (taken[0].method, taken[0].body) == (sent.method, sent.body)
        assert _origin_form(taken[0].target) == sent.target
        data = taken[1]
    if not whole.requests or whole.requests[-1].fault is None:
        _is_unfinished(data.lstrip(b"\r\n"), whole)


def _origin_form(target: bytes) -> bytes:
    absolute = re.fullmatch(rb"https?://[^/?#]*(.*)", target, re.IGNORECASE | re.DOTALL)
    if absolute is None:
        return target
    return absolute[1] if absolute[1].startswith(b"/") else b"/" + absolute[1]


def _is_unfinished(data: bytes, reader: Reader) -> None:
    """What is neither accepted nor refused is the beginning of a request, or comes after the last."""
    if reader.ended:
        return
    assert reader.in_head or reader.in_body or not data
    try:
        assert take_request(data) is None
    except Malformed:
        assert reader.in_head or reader.in_body, "it is malformed, and has gone by"
