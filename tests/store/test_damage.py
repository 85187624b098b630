"""What disks, other processes and sudden deaths do to the file: a clear error, and nothing half-written."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from llamactl.core.model import Model
from llamactl.store import Database, StoreFailed, upkeep
from llamactl.store.database import MANY_FREE

MANY = [Model(name=f"m{n:03}", path="/m/" + "x" * 500, size=n, settings={"ctx_size": n}) for n in range(200)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "llamactl.db"
    with Database(path) as db:
        db.models.put(*MANY)
    return path


def script(text: str, *arguments: object, prefix: tuple[str, ...] = ()) -> list[str]:
    begin = "import sys, resource\nfrom pathlib import Path\nfrom llamactl.core.model import Model\n"
    begin += "from llamactl.store import Database, StoreFailed\n"
    return [*prefix, sys.executable, "-c", begin + textwrap.dedent(text), *map(str, arguments)]


# --- corrupt -------------------------------------------------------------------------------------


def _flip_header(content: bytearray) -> None:
    content[:16] = bytes(byte ^ 0xFF for byte in content[:16])


def _flip_page_size(content: bytearray) -> None:
    content[16:18] = b"\x00\x03"


def _flip_schema(content: bytearray) -> None:
    content[100:108] = b"\xff" * 8


def _cut(content: bytearray) -> None:
    del content[len(content) // 2 :]


def _flip_pages(content: bytearray) -> None:
    for page in range(4096 * (len(content) // 8192), len(content), 4096):
        content[page : page + 64] = bytes(byte ^ 0xA5 for byte in content[page : page + 64])


DAMAGES = [_flip_header, _flip_page_size, _flip_schema, _cut, _flip_pages]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_refused_named_and_left_as_it_is(path: Path, damage: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    with pytest.raises(StoreFailed, match=r"corrupt|not a database") as caught:
        Database(path)
    assert str(path) in caught.value.message and "\n" not in caught.value.message
    assert caught.value.hint.startswith("llamactl db check says what is wrong")
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path], "no lock, no log"
    try:
        assert upkeep.check(path).problems
    except StoreFailed as error:
        assert str(path) in error.message


def test_every_page_of_the_catalogue_is_looked_at(path: Path) -> None:
    """Any single page that turns to noise keeps a daemon from starting, or holds measurements, requests or nothing."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # or each opening would make three files
        pages = connection.execute("SELECT pageno, name FROM dbstat").fetchall()
    content = path.read_bytes()
    unnoticed = set()
    for number, name in pages[:: max(1, len(pages) // 40)]:
        at = (number - 1) * 4096
        path.write_bytes(content[:at] + b"\x0b\xad" * 2048 + content[at + 4096 :])
        try:
            Database(path).close()
            unnoticed.add(name)
        except StoreFailed as error:
            assert str(path) in error.message
        for leftover in (Path(f"{path}-wal"), Path(f"{path}-shm")):
            leftover.unlink(missing_ok=True)
    assert {name for name in unnoticed if not name.startswith(("idx_metrics_", "idx_requests_"))} <= {
        "metrics_history",
        "metrics_series",
        "requests",
    }


def test_rubbish_in_the_log_is_none_of_ours(path: Path) -> None:
    """Each frame has a checksum: what was never written whole does not count."""
    for rubbish in (b"\xff" * 8192, b"\x37\x7f\x06\x82" + b"\x00" * 8192):
        Path(f"{path}-wal").write_bytes(rubbish)
        with Database(path) as db:
            assert db.models.all() == MANY
        assert upkeep.check(path).problems == ()


def test_a_log_cut_short_loses_the_last_changes_only(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Database(path) as db:
        for number in range(10):
            db.models.put(Model(name=f"n{number}", path="/n", size=1))
        log = Path(f"{path}-wal").read_bytes()
        shutil.copy(path, other / path.name)
    (other / f"{path.name}-wal").write_bytes(log[: len(log) * 2 // 3])
    with Database(other / path.name) as db:
        added = [model.name for model in db.models.all() if model.name.startswith("n")]
        assert 0 < len(added) < 10 and added == [f"n{number}" for number in range(len(added))]
    assert upkeep.check(other / path.name).problems == ()


# --- full ----------------------------------------------------------------------------------------

FILL = """
    with Database(Path(sys.argv[1])) as db:
        if limit := int(sys.argv[2]):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        written = 0
        try:
            while True:
                db.models.put(*(Model(name=f"{written}-{n}", path="/m/" + "x" * 500, size=1) for n in range(20)))
                written += 1
        except StoreFailed as error:
            print(error.message)
            print(error.hint)
        there = [model.name for model in db.models.all()]
        assert sorted(there) == sorted(f"{batch}-{n}" for batch in range(written) for n in range(20)), there
        print(written)
"""


def _fill(path: Path, limit: int, prefix: tuple[str, ...] = ()) -> list[str]:
    done = subprocess.run(
        script(FILL, path, limit, prefix=prefix), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "llamactl.db"
    message, hint, written = _fill(path, 1 << 20)
    assert str(path) in message and "llamactl db check" in hint
    assert int(written) > 0
    assert upkeep.check(path).problems == ()
    with Database(path) as db:
        assert len(db.models.all()) == 20 * int(written)


def test_a_full_disk(tmp_path: Path) -> None:
    unshare = ("unshare", "--user", "--map-root-user", "--mount")
    mount = ["sh", "-c", f'mount -t tmpfs -o size=2m none {tmp_path} && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, *mount, "true"], capture_output=True).returncode:
        pytest.skip("no file system of our own can be mounted here")
    message, hint, written = _fill(tmp_path / "llamactl.db", 0, (*unshare, *mount))
    assert f"{tmp_path / 'llamactl.db'} cannot grow: the disk is full" in message
    assert "free some space" in hint and "llamactl db check" in hint
    assert int(written) > 0


# --- killed --------------------------------------------------------------------------------------

WRITERS = """
    import asyncio, os
    from llamactl.core.sample import Host, Sample
    host = Host(memory_total=0, memory_available=0, swap_total=0, swap_used=0)
    async def write(db):
        number = 0
        while True:
            number += 1
            writing = asyncio.create_task(db.samples.put([Sample(at=10**13 + number, host=host)] * 50))
            db.models.put(*(Model(name=f"k{n}", path=f"/{number}", size=number) for n in range(5)))
            db.models.remove("k0")
            await writing
            if number == 1:
                print(os.getpid(), flush=True)
    for line in sys.stdin:
        if not os.fork():
            with Database(Path(sys.argv[1])) as db:
                asyncio.run(write(db))
        print(os.wait()[1], flush=True)
"""
"""For each line another one that writes for ever, and says so; then, how it ended. So Python starts once only."""


def test_killed_twenty_times_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "llamactl.db"
    writers = subprocess.Popen(script(WRITERS, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writers.stdin is not None and writers.stdout is not None
    with writers, writers.stdin, writers.stdout:
        for number in range(20):
            writers.stdin.write("\n")
            writers.stdin.flush()
            pid = int(writers.stdout.readline())
            time.sleep(0.003 * (number % 7))  # another moment each time
            os.kill(pid, signal.SIGKILL)
            assert int(writers.stdout.readline()) == signal.SIGKILL
            with Database(path) as db:
                killed = [model for model in db.models.all() if model.name.startswith("k")]
                assert len({model.size for model in killed}) == 1, "all of a batch, or nothing"
                assert len(killed) in (4, 5)
                assert len(db.samples.between(0, 1 << 50)) % 50 == 0 < len(db.samples.between(0, 1 << 50))
            assert upkeep.check(path).problems == ()


# --- space ---------------------------------------------------------------------------------------


def test_a_daemon_that_starts_gives_back_what_is_free(path: Path) -> None:
    more = [Model(name=f"n{n}", path="/m/" + "x" * 3000, size=1) for n in range(2 * MANY_FREE)]
    with Database(path) as db:
        db.models.put(*more)
        for model in more:
            db.models.remove(model.name)
    before = upkeep.check(path)
    assert before.free > 4096 * MANY_FREE
    Database(path).close()
    after = upkeep.check(path)
    assert (after.free, after.problems) == (0, ()) and after.size < before.size - 4096 * MANY_FREE
