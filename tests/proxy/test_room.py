"""Room for large bodies."""

import os
import re
from pathlib import Path

import pytest

from llamactl.proxy.naming import in_body
from llamactl.proxy.request import Reader
from llamactl.proxy.room import Heap, NoRoom, Room
from tests.proxy.front import opened

MIB = 1 << 20


def resident() -> int:
    """Bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def fill(room: Room, size: int, step: int = 200_000) -> None:
    for start in range(0, size, step):
        count = min(step, size - start)
        room.place[:count] = bytes([start // step % 256]) * count
        assert room.filled(count) == (start + count == size)


@pytest.mark.parametrize("filed", [True, False])
def test_what_was_put_there_is_there(tmp_path: Path, filed: bool) -> None:
    size = 9 * MIB + 5
    room = Room(size, str(tmp_path) if filed else "")
    fill(room, size)
    assert len(room.body) == size
    for start in range(0, size, 200_000):
        piece = room.body[start : start + 200_000]
        assert piece == bytes([start // 200_000 % 256]) * len(piece)
    assert not list(tmp_path.iterdir()), "the file has no name"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux")
def test_a_body_in_a_file_takes_little_memory(tmp_path: Path) -> None:
    before = resident()
    room = Room(96 * MIB, str(tmp_path))
    fill(room, 96 * MIB)
    assert resident() - before < 24 * MIB
    assert room.body[:3] == b"\0\0\0"


def test_no_room(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="no room for a body of 1"):
        Room(1 << 20, str(tmp_path / "not there"))


def form(size: int) -> bytes:
    parts = (b'name="file"; filename="a"', bytes(range(256)) * (size // 256)), (b'name="model"', b"a")
    heads = (b"--X\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % part for part in parts)
    return b"".join(heads) + b"--X--\r\n"


HEAD = (
    b"POST /v1/audio/transcriptions HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X\r\n"
    b"Content-Length: %d\r\n\r\n"
)


@pytest.mark.anyio
async def test_a_file_goes_to_the_model_byte_for_byte(tmp_path: Path) -> None:
    body = form(6 * MIB)
    (tmp_path / "spool").mkdir()
    async with opened(tmp_path, spool=str(tmp_path / "spool")) as front:
        assert (await front.ask(HEAD % len(body), body)).status == 200
        [sent] = front.upstream.requests
        assert sent.body == body
        assert not list((tmp_path / "spool").iterdir())


def chunked(body: bytes, size: int = 50_000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CHUNKED = HEAD.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked")


@pytest.mark.anyio
@pytest.mark.parametrize("size", [MIB // 8, 6 * MIB])
async def test_so_does_one_that_comes_in_chunks(tmp_path: Path, size: int) -> None:
    body = form(size)
    (tmp_path / "spool").mkdir()
    async with opened(tmp_path, spool=str(tmp_path / "spool")) as front:
        assert (await front.ask(CHUNKED, chunked(body))).status == 200
        assert (await front.ask(CHUNKED, chunked(body))).status == 200, "the next one begins anew"
        assert [sent.body for sent in front.upstream.requests] == [body, body]
        assert not list((tmp_path / "spool").iterdir())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux")
def test_chunks_take_little_memory(tmp_path: Path) -> None:
    reader = Reader(128 * MIB, str(tmp_path))
    reader.feed(CHUNKED)
    piece = b"%x\r\n%b\r\n" % (MIB, bytes(MIB))
    before = resident()
    for _ in range(96):
        reader.feed(piece)
    assert resident() - before < 8 * MIB
    reader.feed(b"0\r\n\r\n")
    [request] = reader.requests
    assert len(request.body) == 96 * MIB and request.fault is None


@pytest.mark.anyio
async def test_no_room_for_chunks(tmp_path: Path) -> None:
    async with opened(tmp_path, spool=str(tmp_path / "not there")) as front:
        client = await front.client()
        client.send(CHUNKED, chunked(form(MIB)))
        answer = await client.answer(b"POST")
        assert (answer.status, b"no_room" in answer.body) == (507, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    heap = Heap(str(tmp_path))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, heap._file)
    os.close(full)
    with pytest.raises(NoRoom, match="No space left"):
        heap.add(b"a")


@pytest.mark.anyio
async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    async with opened(tmp_path, spool=str(tmp_path / "not there")) as front:
        client = await front.client()
        client.send(HEAD % (1 << 20), bytes(1000))
        answer = await client.answer(b"POST")
        assert answer.status == 507
        assert b"no_room" in answer.body


def test_the_model_is_found_where_the_body_lies(tmp_path: Path) -> None:
    body = form(MIB)
    room = Room(len(body), str(tmp_path))
    room.place[:] = body
    room.filled(len(body))
    kind = b"multipart/form-data"
    assert in_body(room.body, kind, kind + b"; boundary=X", b"") == "a"
