"""HTTP servers on a thread, whose answers a test writes down byte for byte or as a function."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Callable[["Handler"], None]
    asked: list[tuple[str, str, dict[str, str], bytes]]

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        self.close_connection = True
        type(self).answer(self)

    do_POST = do_GET

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """`Content_Length` stands for `Content-Length`."""
        self.send_response(status)
        for name, value in ({"Content_Length": str(len(body)), "Connection": "close"} | headers).items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server:
    def __init__(self, url: str, asked: list[tuple[str, str, dict[str, str], bytes]]) -> None:
        self.url = url
        self.asked = asked

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]


@contextmanager
def serve(answer: Callable[[Handler], None]) -> Iterator[Server]:
    asked: list[tuple[str, str, dict[str, str], bytes]] = []
    kind = type("Handler", (Handler,), {"answer": staticmethod(answer), "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()
            thread.join()
