"""What a request calls its model."""

import json
import mmap

import pytest

from llamactl.core.errors import BadRequest, NotFound
from llamactl.proxy.naming import in_body, in_path, in_query

JSON, FORM, MULTIPART = b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data"


def model(body: bytes, content_type: bytes = JSON, query: bytes = b"") -> str | None:
    return in_body(body, content_type.partition(b";")[0].strip().lower(), content_type, query)


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"model":"a"}', "a"),
        (b' \r\n\t{ "x" : [1, {"y": null}] ,\n "model" : "a" } \n', "a"),
        (b'{"model":"org/name:7b-q4@main+x"}', "org/name:7b-q4@main+x"),
        ('{"model":"žluťoučký"}'.encode(), "žluťoučký"),
        (b'{"model":"\\u00e9\\ud83d\\ude00\\n"}', "é😀\n"),
        (b'{"mod\\u0065l":"a"}', "a"),
        (b'{"Model":"a"}', None),
        (b"{}", None),
        (b'{"model":null}', None),
        (b'{"model":""}', None),
        (b'{"messages":[{"model":"inner"}],"options":{"model":"inner"}}', None),
        (b'{"options":{"model":"inner"},"model":"a","tools":[{"model":5}]}', "a"),
        (b'{"text":"\\"model\\":\\"b\\"","model":"a"}', "a"),
        (b'{"model":"a","model":"b"}', "b"),
        (b'{"model":"a","model":null}', None),
        (b'{"x":1e400,"y":-0,"z":123456789012345678901234567890,"model":"a"}', "a"),
    ],
)
def test_json(body: bytes, name: str | None) -> None:
    for content_type in (JSON, b"Application/JSON; charset=utf-8", b"", b"text/plain", b"application/vnd.x+json"):
        assert (model(body, content_type) or None) == name


def test_curl_says_that_json_is_a_form() -> None:
    """`curl -d '{…}'` without a `-H`, however the quotes were placed."""
    assert model(b'{"model":"a"}', FORM) == "a"
    assert model(b'\n{\n  "model": "a"\n}\n', FORM) == "a"
    assert model(b' {"model":"a&model=b"}', FORM) == "a&model=b"
    with pytest.raises(BadRequest, match="not JSON"):
        model(b'{"model":"a"', FORM)


@pytest.mark.parametrize("value", [b"5", b"1.5", b"true", b'["a"]', b'{"a":1}'])
def test_a_model_that_is_no_text_is_refused_with_the_place(value: bytes) -> None:
    with pytest.raises(BadRequest, match=r"\$\.model") as refused:
        model(b'{"stream":true,"model":%b}' % value)
    assert "string" in refused.value.hint


@pytest.mark.parametrize("body", [b"[]", b'["model"]', b'"model"', b"5", b"null", b"true"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="object"):
        model(body)


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b'{"model"',
        b'{"model":"a"',
        b'{"model":"a"}}',
        b'{"model":"a"} {"model":"b"}',
        b'{"model":"a",}',
        b"{'model':'a'}",
        b'{"model":a}',
        b'{model:"a"}',
        b'{"model":NaN}',
        b'\xef\xbb\xbf{"model":"a"}',
        '{"model":"a"}'.encode("utf-16"),
        b'{"model":"\xff\xfe"}',
        b'{"model":"\\ud800"}',
        b'{"model":"a\x00"}',
        b"model=a",
        b"\x00" * 100,
        b"POST / HTTP/1.1",
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="not JSON"):
        model(body)


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_json_too_deep_is_refused(bracket: bytes) -> None:
    with pytest.raises(BadRequest, match="deep"):
        model(b'{"x":' + bracket * 100_000)


@pytest.mark.parametrize("size", [14, 1_000, 65_536, 10 << 20, 100 << 20])
def test_bodies_of_any_size(size: int) -> None:
    """As bytes, and where the door puts large ones."""
    body = b'{"x":"' + b"y" * (size - 19) + b'","model":"a"}'
    assert model(body) == "a"
    with mmap.mmap(-1, len(body)) as place:
        place[:] = body
        assert in_body(place, b"application/json", JSON, b"") == "a"
        assert in_body(place, FORM, FORM, b"") == "a"
        place[-1:] = b" "
        with pytest.raises(BadRequest):
            in_body(place, b"application/json", JSON, b"")


# --- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"model=a", "a"),
        (b"prompt=x&model=org%2Fname%3A7b&n=1", "org/name:7b"),
        (b"model=a+b", "a b"),
        (b"model=%C3%A9", "é"),
        (b"model=%FF", "�"),
        (b"model=", None),
        (b"model", None),
        (b"xmodel=a&model%20=b", None),
        (b"", None),
        (b"&&=&%&model=a", "a"),
    ],
)
def test_forms(body: bytes, name: str | None) -> None:
    assert model(body, FORM) == name
    assert model(body, FORM.upper() + b" ; charset=utf-8") == name
    assert model(b"{}", JSON, query=body) == name


def test_what_the_body_says_goes_before_the_query() -> None:
    assert model(b'{"model":"a"}', JSON, b"model=b") == "a"
    assert model(b"model=a", FORM, b"model=b") == "a"
    assert model(b'{"model":null}', JSON, b"model=b") == "b"
    assert model(b"x=1", FORM, b"x=2&model=b") == "b"
    with pytest.raises(BadRequest):
        model(b"nonsense", JSON, b"model=b")


@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART, b""])
def test_an_empty_body_says_nothing(kind: bytes) -> None:
    assert model(b"", kind) is None
    assert model(b"", kind, b"model=a") == "a"


# --- multipart ------------------------------------------------------------------------------------


def multipart(*parts: tuple[bytes, bytes], boundary: bytes = b"XX") -> bytes:
    """`parts` are heads and contents."""
    fence = b"--" + boundary
    return b"".join(b"%b\r\n%b\r\n\r\n%b\r\n" % (fence, *part) for part in parts) + fence + b"--\r\n"


def named(name: bytes, *more: bytes) -> bytes:
    return b"; ".join([b'Content-Disposition: form-data; name="%b"' % name, *more])


FILE = (named(b"file", b'filename="a.wav"') + b"\r\nContent-Type: audio/wav", b"RIFF\r\n\r\n--X\r\n\x00" * 1000)


@pytest.mark.parametrize(
    "body",
    [
        multipart((named(b"model"), b"a")),
        multipart(FILE, (named(b"model"), b"a")),
        multipart((named(b"model"), b"a"), FILE),
        multipart(FILE, (b"Content-Type: text/plain\r\n" + named(b"model").lower(), b" a \r\n"), FILE),
        multipart((b"content-disposition:form-data;NAME=model", b"a")),
        b"preamble\r\n" + multipart((named(b"model"), b"a")) + b"epilogue",
        multipart((named(b"text"), b'name="model"'), (named(b"model"), b"a"), (named(b"model"), b"b")),
    ],
)
def test_multipart(body: bytes) -> None:
    assert model(body, MULTIPART + b"; boundary=XX") == "a"
    assert model(body, b'Multipart/Form-Data; charset=utf-8; Boundary="XX"') == "a"
    with mmap.mmap(-1, len(body)) as place:
        place[:] = body
        assert in_body(place, MULTIPART, MULTIPART + b"; boundary=XX", b"") == "a"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--XX--\r\n",
        multipart(FILE),
        multipart((named(b"models"), b"a"), (named(b"x", b'filename="model"'), b"a")),
        multipart((named(b"model"), b"a"))[:-9],
        multipart((named(b"model"), b"a"), boundary=b"YY"),
        b"--XX\r\nno head\r\n--XX--",
        b"--XX\r\n" + named(b"model"),
        b'{"model":"a"}',
    ],
)
def test_multipart_that_does_not_say(body: bytes) -> None:
    assert model(body, MULTIPART + b"; boundary=XX") is None
    assert model(body, MULTIPART + b"; boundary=XX", b"model=q") == "q"


@pytest.mark.parametrize("parameters", [b"", b";", b"; boundary", b'; boundary=""', b"; charset=utf-8"])
def test_multipart_without_a_boundary_is_refused(parameters: bytes) -> None:
    with pytest.raises(BadRequest, match="boundary"):
        model(multipart(FILE), MULTIPART + parameters)


def test_a_large_file_before_the_name() -> None:
    body = multipart((named(b"file", b'filename="x"'), b"\r\n--X" * (5 << 20)), (named(b"model"), b"a"))
    assert model(body, MULTIPART + b"; boundary=XX") == "a"


def test_a_flood_of_fields_is_refused() -> None:
    """Not after minutes, nor with gigabytes: nobody else is served meanwhile."""
    with pytest.raises(BadRequest, match="fields"):
        model(b"a&" * (5 << 20) + b"model=a", FORM)
    with pytest.raises(BadRequest, match="fields"):
        model(b"{}", JSON, b"a&" * 10_000 + b"model=a")
    for parts in (b"--XX\r\n" * (1 << 19), b"--XX\r\nX: y\r\n\r\n\r\n" * (1 << 17)):
        with pytest.raises(BadRequest, match="parts"):
            model(parts + multipart((named(b"model"), b"a")), MULTIPART + b"; boundary=XX")


# --- /upstream/ -----------------------------------------------------------------------------------

NAMES = ("a", "a/b", "a/b/c", "org/name:7b", "v1", "é")


def resolve(name: str) -> str:
    if name not in NAMES:
        raise NotFound(name)
    return name


@pytest.mark.parametrize(
    ("rest", "name", "path"),
    [
        (b"a/", "a", b"/"),
        (b"a", "a", b""),
        (b"a/v1/models", "a", b"/v1/models"),
        (b"a/b/c/d/e", "a/b/c", b"/d/e"),
        (b"a/b/x/", "a/b", b"/x/"),
        (b"a%2Fb/x", "a/b", b"/x"),
        (b"a%2fb%2Fc", "a/b/c", b""),
        (b"a/b%2Fc/x", "a/b/c", b"/x"),
        (b"org/name:7b/slots/0", "org/name:7b", b"/slots/0"),
        (b"org%2Fname%3A7b/%2F/x%20y//", "org/name:7b", b"/%2F/x%20y//"),
        (b"v1/v1/", "v1", b"/v1/"),
        (b"%C3%A9/", "é", b"/"),
        (b"a//b", "a", b"//b"),
        (b"a" + b"/x" * 30_000, "a", b"/x" * 30_000),
    ],
)
def test_the_longest_name_that_fits(rest: bytes, name: str, path: bytes) -> None:
    assert in_path(rest, resolve) == (name, path)


@pytest.mark.parametrize("rest", [b"", b"/", b"/a/", b"x/a/", b"A/", b"a%2Fx/y", b"a%252Fb/", b"x" * 60_000, b"\xff/"])
def test_a_path_that_names_no_model(rest: bytes) -> None:
    with pytest.raises(NotFound):
        in_path(rest, resolve)


def test_the_query_alone() -> None:
    assert in_query(b"x=1&model=org%2Fa&autoload=false") == "org/a"
    assert in_query(b"x=1&models=a") is None
    assert in_query(b"") is None


# --- the oracle -----------------------------------------------------------------------------------


def test_json_is_read_as_python_reads_it() -> None:
    for body in (b'{"model":"a","model":"b"}', b'{"a":{"model":"x"},"model":"\\u0061"}', b'{"model":"\\\\\\""}'):
        assert model(body) == json.loads(body)["model"]
