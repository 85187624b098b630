"""What comes from outside and is read by us, looked at in every way that is known here.

The first byte of an input says what the rest is.
"""

import json
from contextlib import suppress

from llamactl.core.errors import BadRequest
from llamactl.proxy import answer, naming, shaping
from tests.proxy.agreement import agree

_KINDS = [
    (b"application/json", b"application/json"),
    (b"multipart/form-data", b"multipart/form-data; boundary=x"),
    (b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded"),
]


def look(data: bytes) -> None:
    """Raises `AssertionError`, or anything else that is a fault of ours."""
    if data:
        (_requests, _bytewise, _answers, _names, _edits)[data[0] % 5](data[1:])


def _requests(data: bytes) -> None:
    half = len(data) // 2
    agree(data, (data[:half], data[half:]))


def _bytewise(data: bytes) -> None:
    agree(data, (data[i : i + 1] for i in range(len(data))))


def _answers(data: bytes) -> None:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return
    first, again = answer.read(data, end), answer.read(data, end)
    assert (first is None) == (again is None)
    if first is not None and again is not None:
        assert (first[0].wire, first[0].sized, first[0].chunked, first[1]) == (
            again[0].wire, again[0].sized, again[0].chunked, again[1],
        )  # fmt: skip
        assert b"\r\ncontent-length:" not in first[0].wire.lower()
        assert b"\r\ntransfer-encoding:" not in first[0].wire.lower()


def _names(data: bytes) -> None:
    for kind, content_type in _KINDS:
        with suppress(BadRequest):
            naming.in_body(data, kind, content_type, data[:100])
    with suppress(BadRequest):
        name = naming.in_body(data, b"application/json", b"application/json", b"")
        with suppress(ValueError, RecursionError):
            assert name in (json.loads(data).get("model") or None, name if b"\\ud" in data.lower() else None)


def _edits(data: bytes) -> None:
    """What is changed is changed, what is not stays, as another reader sees it."""
    with suppress(BadRequest):
        changed = shaping.edit(data, {"stream": b"true"}, ("seed",))
        with suppress(ValueError, RecursionError):
            before = json.loads(data)
            before.pop("seed", None)
            assert json.dumps(json.loads(changed)) == json.dumps(before | {"stream": True})
