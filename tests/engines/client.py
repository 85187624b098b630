"""A plain blocking HTTP client for a Unix socket, for looking at a server from outside."""

import http.client
import json
import socket
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """`headers` in the order they came, names as they were written."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The data of a stream's events; `[DONE]` as text."""
        data = [event.removeprefix("data: ") for event in self.body.decode().split("\n\n") if event]
        return [event if event == "[DONE]" else json.loads(event) for event in data]


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def ask(endpoint: str, path: str, body: object = None, method: str = "", timeout: float = 10.0) -> Answer:
    """One request on a connection of its own; `body` is sent as JSON."""
    connection = _Connection(endpoint, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method or ("GET" if data is None else "POST"), path, data, {"Host": "test"})
        with connection.getresponse() as response:  # which may hold the socket alone, and fail to be read
            return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()
