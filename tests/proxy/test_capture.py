"""Bodies that are captured: how much, of how many, and without secrets."""

import pytest

from llamactl.proxy.capture import Capture, redact
from tests.proxy.upstreams import chunk, event


def test_nothing_is_captured_unasked() -> None:
    assert Capture().count == 0


def test_the_latest_so_many_and_so_much_of_each() -> None:
    capture = Capture()
    capture.configure(2, 10)
    for number in range(3):
        captured = capture.begin(b"r%d" % number, b'{"model":"a","n":%d}' % number)
        captured.take(b"12345678")
        captured.take(b"9abcdef")
    assert capture.get(b"r0") is None
    found = capture.get(b"r2")
    assert found is not None
    assert (found.asked, found.asked_size) == (b'{"model":"', 19)
    assert (found.answered, found.answered_size) == (b"123456789a", 15)
    capture.configure(0, 10)
    assert capture.get(b"r2") is None


def test_events_without_the_framing_of_their_chunks() -> None:
    capture = Capture()
    capture.configure(1, 1000)
    captured = capture.begin(b"r", b"{}")
    for data in (chunk(event("{}")), chunk(event("[DONE]")), b"0\r\n\r\n"):
        captured.take(data)
    found = capture.get(b"r")
    assert found is not None and found.answered == event("{}") + event("[DONE]")


@pytest.mark.parametrize(
    ("body", "redacted"),
    [
        (b'{"api_key":"s3cret","model":"a"}', b'{"api_key":"***","model":"a"}'),
        (b'{"x":{"OPENAI_API_KEY" : "s\\"3cret"}}', b'{"x":{"OPENAI_API_KEY" : "***"}}'),
        (b'{"Authorization":"Bearer abc"}', b'{"Authorization":"***"}'),
        (b'{"password":"cut of', b'{"password":"***"'),
        (b'{"content":"my key is sk-abcdefgh123"}', b'{"content":"my key is sk-***"}'),
        (b'{"content":"llk_ab12_abcdefghijkl"}', b'{"content":"llk_ab12_***"}'),
        (b"model=a&api_key=s3cret&x=1", b"model=a&api_key=***&x=1"),
        (b'{"max_tokens":5,"tokens":[1]}', b'{"max_tokens":5,"tokens":[1]}'),
        (b'{"keyboard":"qwerty"}', b'{"keyboard":"qwerty"}'),
    ],
)
def test_what_is_secret_is_not_shown(body: bytes, redacted: bytes) -> None:
    assert redact(body) == redacted
