"""A large body on its way in."""

import asyncio
from typing import TYPE_CHECKING

from llamactl.proxy.request import Reader

if TYPE_CHECKING:
    from llamactl.proxy.connection import Connection


class Upload(asyncio.BufferedProtocol):
    """Takes the connection's place while the rest of a large body is read to where it belongs."""

    def __init__(self, connection: "Connection", reader: Reader) -> None:
        self._connection = connection
        self._reader = reader
        self._take_over(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        place = self._reader.place
        assert place is not None
        return place

    def buffer_updated(self, count: int) -> None:
        if self._reader.filled(count):
            self._take_over(self._connection)
            self._connection._look()
        elif self._connection._idle():
            self._connection._expect_more()

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._connection.connection_lost(error)

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def _take_over(self, protocol: asyncio.BaseProtocol) -> None:
        transport = self._connection.transport
        transport.pause_reading()  # how to read is decided when reading begins
        transport.set_protocol(protocol)
        transport.resume_reading()
