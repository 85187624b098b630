"""What is found again of what an earlier daemon started, and what is never touched."""

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import psutil
import pytest

from llamactl.core.errors import LoadFailed
from llamactl.llamaserver import adoption, identity, process, records
from llamactl.llamaserver.adoption import Left
from llamactl.llamaserver.identity import MARK, Identity, identify
from llamactl.llamaserver.leader import Found
from llamactl.llamaserver.process import LlamaServer
from llamactl.llamaserver.records import Record
from llamactl.llamaserver.session import Session
from tests.engines.fake import Vices
from tests.llamaserver.conftest import Start, until

pytestmark = pytest.mark.anyio

Earlier = Callable[..., Record]

EARLIER = """
import anyio, msgspec, sys
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.process import launch
from llamactl.core.model import Model
async def main():
    line, model = sys.argv[1:], Model(name="a", path=sys.argv[3], size=0)
    server = await launch(Engine(line[0], "PATH"), line, line[4], line[5], model)
    while {ready} and not await server.healthy():
        await anyio.sleep(0.005)
anyio.run(main)
"""


@pytest.fixture
def sockets(place: Path) -> Path:
    (place / "s").mkdir()
    return place / "s"


@pytest.fixture
def earlier(place: Path, sockets: Path, fake: Any) -> Iterator[Earlier]:
    """Has another process start a fake, which ends then: as a daemon does that is killed."""
    started: list[int] = []

    def earlier(name: str = "1", *, ready: bool = True, **vices: Any) -> Record:
        model = place / f"{name}.gguf"
        model.touch()
        Vices(**vices).of_model(model)
        endpoint = sockets / f"{name}.sock"
        line = [fake.path, "--model", str(model), "--host", str(endpoint), str(place / f"{name}.log")]
        subprocess.run([sys.executable, "-c", EARLIER.replace("{ready}", str(ready)), *line], check=True, timeout=30)
        record = msgspec.json.decode(endpoint.with_suffix(".json").read_bytes(), type=Record)
        assert record.process is not None
        started.append(record.process.pid)
        return record

    yield earlier
    for pid in started:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def somebody_else(line: list[str]) -> subprocess.Popen[bytes]:
    """Leads a session of its own, and ends when it is written to."""
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def rewrite(record: Record, **news: Any) -> None:
    records.write(msgspec.structs.replace(record, **news))


async def only(sockets: Path) -> Left:
    [left] = await adoption.find(sockets)
    return left


async def ended(server: LlamaServer) -> None:
    server.terminate()
    with anyio.fail_after(10):
        await server.wait()
    server.close()


async def test_one_that_serves(sockets: Path, earlier: Earlier, place: Path) -> None:
    record = earlier()
    left = await only(sockets)
    assert (left.state, left.server.record, left.server.endpoint) == ("serves", record, record.endpoint)
    assert record.process == identify(left.server.pid)
    assert Path(record.executable).name.startswith("python")
    assert (sockets / "1.json").stat().st_mode & 0o777 == 0o600
    left.server.terminate()
    exit = await left.server.wait()
    assert (exit.reason, exit.code, exit.signal) == ("stopped", None, None), "nobody tells us"
    assert exit.lines[-1].endswith("cleaning up before exit...")
    assert not psutil.pid_exists(left.server.pid) or psutil.Process(left.server.pid).status() == psutil.STATUS_ZOMBIE
    left.server.close()
    assert not list(sockets.iterdir())
    assert (place / "1.log").exists()


async def test_its_end_is_noticed_with_its_own_words(sockets: Path, earlier: Earlier) -> None:
    record = earlier()
    left = await only(sockets)
    log = Path(record.run_file)
    log.write_text(log.read_text() + "0.00.000.000 E ggml: out of memory\n")
    os.kill(left.server.pid, signal.SIGKILL)
    with anyio.fail_after(10):
        exit = await left.server.wait()
    assert (exit.reason, exit.code, exit.signal) == ("ggml: out of memory", None, None)


async def test_one_that_loads_and_one_that_keeps_silent(sockets: Path, earlier: Earlier) -> None:
    earlier("1", ready=False, load_seconds=60)
    silent = earlier("2")
    assert silent.process is not None
    os.kill(silent.process.pid, signal.SIGSTOP)
    began = anyio.current_time()
    found = await adoption.find(sockets)
    assert anyio.current_time() - began < 2 * adoption.PATIENCE + 1
    assert [(Path(left.server.endpoint).stem, left.state) for left in found] == [("1", "loads"), ("2", "silent")]
    for left in found:
        left.server.kill()
        await ended(left.server)


async def test_one_that_is_gone_with_somebody_left_behind(sockets: Path, earlier: Earlier) -> None:
    record = earlier(fork="bystander")
    assert record.process is not None
    pid = record.process.pid
    [bystander] = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)
    await until(_gone(pid))
    left = await only(sockets)
    assert left.state == "gone"
    with anyio.fail_after(10):
        await left.server.wait()
    await until(_gone(bystander.pid))


def _gone(pid: int) -> Callable[[], Awaitable[bool]]:
    async def gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    return gone


@pytest.mark.parametrize("how", ["start", "executable", "boot"])
async def test_somebody_else_has_its_number(sockets: Path, earlier: Earlier, how: str) -> None:
    record = earlier()
    assert record.process is not None
    os.kill(record.process.pid, signal.SIGKILL)
    await until(_gone(record.process.pid))
    with somebody_else(["sh", "-c", "sleep 60 & read x; kill $! && exit 7"]) as other:
        now = identify(other.pid)
        assert now is not None
        rewrite(
            record,
            process=Identity(
                other.pid,
                record.process.started if how == "start" else now.started,
                "another" if how == "boot" else now.boot,
            ),
            executable="/bin/another" if how == "executable" else record.executable,
        )
        found = await adoption.find(sockets)
        assert len(found) == (0 if how == "boot" else 1)
        for left in found:
            assert left.state == "gone"
            left.server.terminate()
            left.server.kill()
            await left.server.wait()
            left.server.close()
        assert not list(sockets.iterdir())
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 7, "its own child was there, too"


async def test_one_that_was_not_written_down_is_known_by_its_mark(sockets: Path, earlier: Earlier) -> None:
    written, lost = earlier("1"), earlier("2")
    rewrite(written, process=None, executable="", served=None)
    Path(lost.endpoint).with_suffix(".json").unlink()
    found = {Path(left.server.endpoint).stem: left for left in await adoption.find(sockets)}
    assert found.keys() == {"1", "2"}
    assert [found[name].server.pid for name in "12"] == [r.process.pid for r in (written, lost) if r.process]
    assert (found["1"].state, found["1"].server.record.unwanted) == ("serves", False)
    assert found["2"].server.record.unwanted, "for whom it serves is not known"
    for left in found.values():
        await ended(left.server)


async def test_a_mark_in_a_session_of_somebody_else(sockets: Path) -> None:
    """As when a person starts something with that in the environment: the session is theirs."""
    endpoint = str(sockets / "1.sock")
    shell = f"{MARK}={endpoint} {sys.executable} -c 'print(flush=True); input()'; exit 7"
    with somebody_else(["sh", "-c", shell]) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert identity.marked(sockets).keys() == {endpoint}
        assert not await adoption.find(sockets)
        other.communicate(b"\n")
        assert other.returncode == 7


async def test_what_is_stale_is_removed(sockets: Path) -> None:
    for name in ("1.json", "2.new", "3.sock", "4.json"):
        (sockets / name).write_text("{}" if name != "4.json" else "")
    assert not await adoption.find(sockets)
    assert not list(sockets.iterdir())


async def test_one_that_could_not_be_spawned_leaves_no_record(start: Start, place: Path) -> None:
    with pytest.raises(LoadFailed):
        await start(program="/no/such")
    assert not list(place.glob("*.json"))


async def test_its_record_is_there_before_it_is(start: Start, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> Session:
        assert (place / "a.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "lead", killed)
    with pytest.raises(KeyboardInterrupt):
        await start()
    assert msgspec.json.decode((place / "a.json").read_bytes(), type=Record).process is None


async def test_one_that_was_told_to_end_is_written_down_as_such(start: Start, place: Path) -> None:
    server = await start()
    await until(server.healthy)
    assert not msgspec.json.decode((place / "a.json").read_bytes(), type=Record).unwanted
    server.terminate()
    assert msgspec.json.decode((place / "a.json").read_bytes(), type=Record).unwanted


async def test_a_child_of_ours_that_was_found_tells_how_it_ended(start: Start) -> None:
    """As after re-executing: whoever was our child still is."""
    server = await start()
    await until(server.healthy)
    ours = identify(server.pid)
    assert ours is not None
    found = Session(Found(ours, server.endpoint))
    os.kill(server.pid, signal.SIGKILL)
    with anyio.fail_after(10):
        assert await found.wait() == (None, signal.SIGKILL)
    assert found.ended
    found.terminate()
    found.kill()


async def test_without_descriptors_of_processes(
    sockets: Path, earlier: Earlier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamactl.llamaserver.leader._pidfd", lambda pid: None)
    record = earlier()
    left = await only(sockets)
    assert left.state == "serves"
    left.server.kill()
    if identify(left.server.pid) != record.process:  # else it is a zombie that nobody reaps
        with anyio.fail_after(10):
            await left.server.wait()
