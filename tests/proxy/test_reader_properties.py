"""What the `Reader` accepts, somebody else reads in the same way: what comes in, and what goes out."""

from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llamactl.proxy.request import Reader
from tests.proxy.agreement import agree
from tests.proxy.reading import LIMIT, emitted, feed
from tests.proxy.wire import Sent

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DROPPED = {
    b"authorization", b"x-api-key", b"proxy-authorization", b"connection", b"keep-alive", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade", b"expect", b"content-length", b"http2-settings", b"accept-encoding",
    b"content-type",
}  # fmt: skip

names = st.text(TOKEN, min_size=1, max_size=20).map(str.encode).filter(lambda name: name.lower() not in DROPPED)
values = st.text(st.characters(max_codepoint=255, exclude_characters="\x7f", exclude_categories=["Cc"]), max_size=40)
headers = st.lists(st.tuples(names, values.map(lambda value: value.strip(" ").encode("latin-1"))), max_size=12)
targets = st.text("abcxyz019-._~%!$&'()*+,;=:@/?#[]", max_size=60).map(lambda text: b"/" + text.encode())
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD", b"PROPFIND"])
bodies = st.one_of(st.none(), st.binary(max_size=200), st.binary(max_size=20).map(lambda data: data * 200))


@st.composite
def meant(draw: st.DrawFn) -> tuple[Sent, bytes]:
    """A valid request, and how it is written."""
    method, target, fields, body = draw(methods), draw(targets), draw(headers), draw(bodies)
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    for name, value in fields:
        lines.append(
            name + b":" + draw(st.sampled_from([b"", b" ", b"  ", b"\t"])) + value + draw(st.sampled_from([b"", b" "]))
        )
    place = draw(st.integers(1, len(lines)))
    sent = b""
    if body is not None and draw(st.booleans()):
        lines.insert(place, draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked"])))
        sent = _in_chunks(draw, body)
    elif body is not None:
        name = draw(
            st.sampled_from([b"Content-Length: ", b"content-length: ", b"CONTENT-LENGTH:", b"Content-Length:\t"])
        )
        lines.insert(place, name + b"%d" % len(body))
        sent = body
    expected = [(name.lower(), value) for name, value in fields]
    if body is not None:
        expected.append((b"content-length", b"%d" % len(body)))
    return Sent(method, target, expected, body or b""), b"\r\n".join(lines) + b"\r\n\r\n" + sent


def _in_chunks(draw: st.DrawFn, body: bytes) -> bytes:
    written = b""
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from([b"", b"", b";a", b";a=b", b';a="b c"']))
        written += b"%x%b\r\n%b\r\n" % (size, extension, body[:size])
        body = body[size:]
    return written + b"0\r\n" + draw(st.sampled_from([b"", b"X-Trailer: y\r\n"])) + b"\r\n"


def pieces_of(data: bytes, cuts: list[float]) -> list[bytes]:
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


cuts = st.lists(st.floats(0, 1), max_size=6)


@given(st.lists(meant(), min_size=1, max_size=4), cuts)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_goes_out_is_what_was_meant(conversation: list[tuple[Sent, bytes]], cuts: list[float]) -> None:
    reader = Reader(LIMIT)
    for piece in pieces_of(b"".join(data for _, data in conversation), cuts):
        feed(reader, piece)
    assert [emitted(request) for request in reader.requests] == [sent for sent, _ in conversation]


# --- what nobody should send ------------------------------------------------------------------------

SOUP = [
    b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"GET http://h/x HTTP/1.1\r\n", b"GET /\r\n", b"GET / HTTP/1.0\r\n",
    b"Host: x\r\n", b"X: y\r\n", b"X:\r\n", b"X : y\r\n", b" X: y\r\n", b"X: y\n", b"X: y\r", b"X\r\n", b":\r\n",
    b"Content-Length: 3\r\n", b"content-length:3\r\n", b"CONTENT-LENGTH: 3\r\n", b"Content-Length: 03\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: +3\r\n", b"Content-Length: 3, 3\r\n", b"Content-Length: \r\n",
    b"Content-Length : 3\r\n", b"Content-Length: 30\r\n", b"X: y\r\n Content-Length: 3\r\n", b"Content-Length: 3 \r\n",
    b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:CHUNKED\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: \r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n",
    b"Connection: content-length, transfer-encoding, x\r\n", b"Expect: 100-continue\r\n",
    b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b" ", b"\xff", b":", b";",
    b"abc", b"a", b"3\r\nabc\r\n", b"3;x\r\nabc\r\n", b"3 \r\nabc\r\n", b"3\nabc\n", b"03\r\nabc\r\n", b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n", b"0\r\nContent-Length: 3\r\n\r\n", b"0\n\n", b"-1\r\n", b"10000000000000003\r\nabc\r\n",
]  # fmt: skip

likely = st.sampled_from(SOUP)
heads = st.tuples(
    st.sampled_from([b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n"]),
    st.lists(st.sampled_from([each for each in SOUP if each.endswith(b"\n")]), max_size=4).map(b"".join),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n", b""]),
    st.lists(likely, max_size=4).map(b"".join),
).map(b"".join)


@given(st.lists(st.one_of(heads, heads, likely), min_size=1, max_size=5).map(b"".join), cuts)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", [])
@example(b"POST /a HTTP/1.1\r\nContent-Length: \r\n\r\n", [])
def test_nobody_else_reads_it_differently(data: bytes, cuts: list[float]) -> None:
    agree(data, pieces_of(data, cuts))
