"""Requests as clients write them."""


def post(body: bytes, *lines: bytes, path: bytes = b"/v1/embeddings") -> bytes:
    """To a model, as JSON; by default to where nothing is asked for as a stream."""
    head = (b"POST %b HTTP/1.1" % path, b"Host: x", b"Content-Type: application/json", *lines)
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body


def get(target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    """To the web face."""
    return b"\r\n".join([b"%b %b HTTP/1.1" % (method, target), b"Host: x", *lines]) + b"\r\n\r\n"


def ask(text: str = "", model: str = "a") -> bytes:
    """A question to a model; the answer of an `echo` is its body, `asked(…)`."""
    return post(asked(text, model))


def asked(text: str = "", model: str = "a") -> bytes:
    return b'{"model":"%b","prompt":"%b"}' % (model.encode(), text.encode())


UPGRADE = get(b"/ws", b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x")
EXPECT = b"Expect: 100-continue"
CLOSING = b"Connection: close"
