"""Names that pages have for us, and origins that they come from."""

import pytest

from llamactl.core.errors import Forbidden
from llamactl.proxy.origins import Origins

LISTENERS = ("127.0.0.1:8134", "llm.lan:80", "unix:///x")
PAGE = b"https://chat.example"


def answers(origins: Origins, host: bytes) -> bool:
    try:
        origins.check_host(host)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        (b"", True),
        (b"localhost", True),
        (b"LocalHost:8134", True),
        (b"a.localhost:1", True),
        (b"127.0.0.1:8134", True),
        (b"192.168.1.2", True),
        (b"[::1]:8134", True),
        (b"[::1]", True),
        (b"llm.lan", True),
        (b"llm.lan:9", True),
        (b"evil.example", False),
        (b"evil.example:8134", False),
        (b"localhost.evil.example", False),
        (b"127.0.0.1.evil.example", False),
        (b"evillocalhost", False),
        (b"[evil]:1", False),
        (b"127.0.0.1@evil.example", False),
        (b"\xff\xfe", False),
    ],
)
def test_names(host: bytes, answered: bool) -> None:
    origins = Origins(listeners=LISTENERS)
    for _ in "first", "and again":
        assert answers(origins, host) == answered


def test_names_that_are_written_down_are_all() -> None:
    origins = Origins(hosts=("LLM.example", "other:81"), listeners=LISTENERS)
    assert origins.named
    for host, answered in {
        b"llm.example": 1,
        b"llm.example:9": 1,
        b"other:81": 1,
        b"other": 0,
        b"localhost": 0,
    }.items():
        assert answers(origins, host) == bool(answered), host


def test_no_end_of_names() -> None:
    origins = Origins()
    for number in range(1000):
        origins.check_host(b"x%d.localhost" % number)
    assert len(origins._good) <= 256


@pytest.mark.parametrize(
    ("allowed", "origin", "may"),
    [
        ((), PAGE, False),
        (("https://chat.example",), PAGE, True),
        (("https://Chat.example/",), PAGE, True),
        (("https://chat.example",), b"https://CHAT.example", True),
        (("https://chat.example",), b"http://chat.example", False),
        (("https://chat.example",), b"https://chat.example:8443", False),
        (("https://chat.example",), b"https://chat.example.evil", False),
        (("https://chat.example",), b"null", False),
        (("*",), b"null", True),
        (("*",), PAGE, True),
    ],
)
def test_pages(allowed: tuple[str, ...], origin: bytes, may: bool) -> None:
    origins = Origins(allowed)
    lines = origins.lines(origin)
    assert (b"Access-Control-Allow-Origin: %b\r\n" % origin in lines) == may
    assert (b"Vary: Origin" in lines) == bool(allowed)
    if may:
        told = origins.preflight(origin, [b"access-control-request-headers", b": ", b"authorization", b"\r\n"])
        assert b"Access-Control-Allow-Headers: authorization\r\n" in told and b"POST" in told
        assert b"Allow-Headers" not in origins.preflight(origin, [])
        origins.check_page(origin, b"elsewhere")
    else:
        with pytest.raises(Forbidden, match="may not use this server"):
            origins.preflight(origin, [])
        with pytest.raises(Forbidden):
            origins.check_page(origin, b"elsewhere")


def test_our_own_pages_may_do_what_they_like() -> None:
    Origins().check_page(b"http://127.0.0.1:8134", b"127.0.0.1:8134")
    for other in (b"http://127.0.0.1:8135", b"null", b"http://evil"):
        with pytest.raises(Forbidden):
            Origins().check_page(other, b"127.0.0.1:8134")
