"""A file from front to back through a window: memory stays small and time short, whatever is in it."""

import os
import re
import struct

WINDOW = 1 << 20
"""Bytes read at once."""

MOST = 24 << 20
"""Bytes read of one file. The largest headers known have under 20 MB: 262,144 tokens and 514,906 merges."""

_LENGTH = struct.Struct("<Q")

_BLOCK = 128
_USUAL = [6, 7, 5, 8, 4, 9, 10, 3, 11, 12, 2, 13, 1, 14, 15, 16, 0]
"""Lengths of tokens and merges, the most frequent first: they are tried in this order."""
_STRINGS = re.compile(
    rb"(?s:%s){%d}+"
    % (
        b"|".join(
            re.escape(struct.pack("<Q", length)) + (b"." * length if length <= 16 else b".{%d}" % length)
            for length in (*_USUAL, *range(17, 256))
        ),
        _BLOCK,
    )
)
"""So many strings shorter than 256 bytes, each after its length. In half the time that a loop takes."""


class Malformed(Exception):
    """No file of this kind is like that. The text goes on after "because"."""


class TooLong(Exception):
    """It may be sound, but nobody has the time to read on."""


class Window:
    """Where one is in a file that is open as `descriptor` and has `size` bytes.

    A file that is read, not mapped: one that another program cuts off meanwhile is then short, not a SIGBUS.
    Everything raises `Malformed` at the end of the file, `TooLong` after `MOST` bytes, and what `os.pread` raises.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._first = 0
        self._bytes = b""
        self._at = 0
        self._left = MOST

    @property
    def position(self) -> int:
        return self._first + self._at

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._bytes):
            self._fill(count)
            end = count
        taken = self._bytes[self._at : end]
        self._at = end
        return taken

    def skip(self, count: int) -> None:
        """Over so many bytes, without reading them if they are many."""
        self._need(count)
        self._at += count

    def length(self) -> int:
        """A number of 64 bits: how long what follows is, or how many follow."""
        found: int = _LENGTH.unpack(self.take(8))[0]
        return found

    def string(self, most: int) -> bytes:
        """The first bytes of a string, `most` at most; past all of it."""
        length = self.length()
        self._need(length)
        found = self.take(min(length, most))
        self._at += length - len(found)
        return found

    def skip_strings(self, count: int) -> None:
        self._need(8 * count)
        while count:
            while count >= _BLOCK and (found := _STRINGS.match(self._bytes, self._at)) is not None:
                self._at = found.end()
                count -= _BLOCK
            few = min(count, _BLOCK)
            self._skip_one_by_one(few)
            count -= few

    def _skip_one_by_one(self, count: int) -> None:
        """At the end of a window, at the end of the strings, and where there are long ones."""
        length_at, window, at = _LENGTH.unpack_from, self._bytes, self._at
        for _ in range(count):
            if at + 8 > len(window):
                self._at = at
                self._fill(8)
                window, at = self._bytes, 0
            at += 8 + length_at(window, at)[0]
        self._at = at
        self._need(0)

    def _need(self, count: int) -> None:
        if self.position + count > self._size:
            raise Malformed(f"it is truncated or corrupt (its header says more than its {self._size} bytes hold)")

    def _fill(self, count: int) -> None:
        """The window from here on, with `count` bytes in it."""
        self._need(count)
        self._first += self._at
        self._at = 0
        self._bytes = b""
        while len(self._bytes) < count:
            if self._left <= 0:
                raise TooLong
            found = os.pread(self._descriptor, WINDOW, self._first + len(self._bytes))
            if not found:
                raise Malformed("it became shorter while it was read")
            self._left -= len(found)
            self._bytes += found
