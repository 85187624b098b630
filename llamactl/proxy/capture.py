"""What was asked and answered to the letter, for who looks for a fault: bounded, in memory only, without secrets."""

import mmap
import re
from collections import OrderedDict

import msgspec

_SECRET = re.compile(
    rb'("[^"\\]*(?:api[_-]?key|authorization|password|passwd|secret|access[_-]?token|auth[_-]?token)"\s*:\s*)'
    rb'"(?:[^"\\]|\\.)*"?',
    re.IGNORECASE,
)
"""A member of a JSON object whose name says that its value is one; also one that is cut off."""
_FORM = re.compile(rb"((?:^|&)(?:api_key|token|password|secret)=)[^&]*", re.IGNORECASE)
_KEY = re.compile(rb"\b(llk_[0-9A-Za-z]+_|sk-|hf_|Bearer )[0-9A-Za-z_\-.]{8,}")
_HIDDEN = b"***"
_CHUNK = re.compile(rb"(?:^|\r\n)[0-9a-fA-F]{1,8}\r\n")


class Captured(msgspec.Struct):
    """The first `limit` bytes of both bodies, and how many there were."""

    limit: int
    asked: bytes
    asked_size: int
    answered: bytes = b""
    answered_size: int = 0

    def take(self, data: bytes) -> None:
        """More of the answer."""
        self.answered_size += len(data)
        if len(self.answered) < self.limit:
            self.answered += data[: self.limit - len(self.answered)]

    def instead(self, data: bytes) -> None:
        """This, in one piece, is what was answered."""
        self.answered, self.answered_size = b"", 0
        self.take(data)


class Capture:
    """Of the newest requests: of so many (`count`; 0 for none), so many bytes of each body."""

    def __init__(self) -> None:
        self.count = 0
        self._size = 0
        self._kept: OrderedDict[bytes, Captured] = OrderedDict()

    def configure(self, count: int, size: int) -> None:
        self.count = count
        self._size = size
        self._make_room()

    def begin(self, id: bytes, body: bytes | mmap.mmap) -> Captured:
        captured = Captured(self._size, bytes(body[: self._size]), len(body))
        self._kept[id] = captured
        self._kept.move_to_end(id)
        self._make_room()
        return captured

    def get(self, id: bytes) -> Captured | None:
        """Without what may be a secret, and without the framing of chunks."""
        found = self._kept.get(id)
        if found is None:
            return None
        answered = found.answered
        if _CHUNK.match(answered):
            answered = _CHUNK.sub(b"", answered).removesuffix(b"\r\n")
        return msgspec.structs.replace(found, asked=redact(found.asked), answered=redact(answered))

    def _make_room(self) -> None:
        while len(self._kept) > self.count:
            self._kept.popitem(last=False)


def redact(body: bytes) -> bytes:
    """Values under the names of secrets, and what looks like a key anywhere."""
    text = _SECRET.sub(rb'\1"%b"' % _HIDDEN, body)
    if text[:1] not in (b"{", b"["):
        text = _FORM.sub(rb"\1%b" % _HIDDEN, text)
    return _KEY.sub(rb"\1%b" % _HIDDEN, text)
