import json
import os
import re
import socket
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from llamactl.core.errors import LoadFailed
from llamactl.core.exits import Kind
from llamactl.core.instance import Exit
from llamactl.llamaserver import leader, oom, output
from llamactl.llamaserver.api import props
from llamactl.llamaserver.capabilities import examine
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.process import LlamaServer, launch
from llamactl.supervisor.server import Server
from tests.engines import tiny_model
from tests.engines.client import ask
from tests.engines.fake import Vices
from tests.llamaserver.conftest import Start, command, model, until

pytestmark = pytest.mark.anyio


def told(place: Path, **vices: Any) -> None:
    """Vices of the fake that `start` starts; it records what happens."""
    Vices(record=str(place / "record"), **vices).of_model(place / "model.gguf")


def records(place: Path, event: str) -> list[dict[str, Any]]:
    lines = (place / "record").read_text().splitlines() if (place / "record").exists() else []
    return [record for record in map(json.loads, lines) if record["event"] == event]


async def started(place: Path) -> dict[str, Any]:
    """What the fake recorded of its start."""

    async def recorded() -> bool:
        return bool(records(place, "start"))

    await until(recorded)
    return records(place, "start")[0]


def as_the_supervisor_wants_it(server: LlamaServer) -> Server:
    return server  # mypy decides


# A real one


async def test_a_real_one_from_start_to_end(real: Engine, place: Path) -> None:
    tiny = model(tiny_model.write_tiny_model(place / "tiny.gguf"), skip_chat_parsing=True, threads=1, ctx_size=512)
    endpoint = str(place / "tiny.sock")
    server = await launch(real, command(real.path, tiny, endpoint, await examine(real)), endpoint, place / "log", tiny)
    try:
        await until(server.healthy)
        assert (await props(endpoint)).model_alias == "tiny"
        assert stat.S_IMODE(Path(endpoint).stat().st_mode) == 0o700
        assert server.progress() == (place / "log").stat().st_size > 0
        question = {"messages": [{"role": "user", "content": "Grüße"}], "max_tokens": 5}
        answer = await anyio.to_thread.run_sync(ask, endpoint, "/v1/chat/completions", question)
        assert answer.status == 200
        server.terminate()
        with anyio.fail_after(5):
            ended = await server.wait()
        assert (ended.reason, ended.code) == ("stopped", 0)
        assert any("loading model" in line for line in ended.lines)
        assert not psutil.pid_exists(server.pid)
        assert Path(endpoint).exists(), "it leaves its socket behind"
        server.close()
        assert not Path(endpoint).exists()
        server.close()
    finally:
        server.kill()
        await server.wait()


def _whole(path: Path) -> None:
    tiny_model.write_tiny_model(path)


def _misshapen(path: Path) -> None:
    tiny_model.write_misshapen_model(path)


@pytest.mark.parametrize(
    ("class_", "write", "extra", "why"),
    [
        ("missing_file", lambda path: None, [], "failed to open GGUF file '.*model.gguf'.*No such file"),
        (
            "corrupt_file",
            lambda path: tiny_model.write_truncated_model(path, 0),
            [],
            "not a GGUF file, or a truncated one",
        ),
        (
            "corrupt_file",
            lambda path: tiny_model.write_truncated_model(path, 200),
            [],
            "not a GGUF file, or a truncated one",
        ),
        (
            "corrupt_file",
            lambda path: tiny_model.write_truncated_model(path, 7000),
            [],
            "not a GGUF file, or a truncated one",
        ),
        (
            "corrupt_file",
            lambda path: tiny_model.write_truncated_model(path, 0.99),
            [],
            "model is corrupted or incomplete",
        ),
        ("corrupt_file", lambda path: tiny_model.write_garbage(path), [], "invalid magic characters.*not a GGUF file"),
        (
            "unsupported",
            lambda path: tiny_model.write_garbage(path, magic=True),
            [],
            "not a GGUF file, or a truncated one",
        ),
        (
            "unsupported",
            lambda path: tiny_model.write_unsupported_model(path),
            [],
            "unknown model architecture: 'nonesuch'",
        ),
        ("bad_argument", _whole, ["--no-such-flag"], "invalid argument: --no-such-flag"),
        ("bad_argument", _whole, ["--ctx-size", "many"], 'error while handling argument "--ctx-size"'),
        ("bad_argument", _whole, ["--cache-type-k", "q7"], "Unsupported cache type: q7"),
        ("bad_argument", _whole, ["--chat-template-file", "/no/such"], "failed to open file '/no/such'"),
        ("corrupt_file", _misshapen, [], "tensor 'blk.0.attn_q.weight' has wrong shape"),
        ("cannot_bind", _whole, ["--host", "/proc/no.sock"], "couldn't bind"),
    ],
)
async def test_a_real_one_that_cannot_work_says_why(
    real: Engine, place: Path, class_: Kind, write: Any, extra: list[str], why: str
) -> None:
    write(place / "model.gguf")
    endpoint = str(place / "a.sock")
    arguments = command(real.path, model(place / "model.gguf"), endpoint, await examine(real)) + extra
    for run in range(20):
        server = await launch(real, arguments, endpoint, place / f"log{run}", model(place / "model.gguf"))
        with anyio.fail_after(10):
            ended = await server.wait()
        server.close()
        assert ended.code == 1
        if "without" not in ended.reason:  # on a busy machine it loses its last lines, or all
            break
    assert re.search(why, ended.reason), ended
    assert ended.kind == class_
    assert ended.lines
    assert ended.log == str(place / f"log{run}")


@pytest.mark.parametrize(
    ("class_", "extra", "limit"),
    [
        ("assertion", ["--grammar", "root ::= ((("], "unlimited"),
        ("out_of_memory", ["--ctx-size", "4000000", "--no-warmup"], "1500000"),
    ],
)
async def test_a_real_one_that_gives_up_says_why(
    real: Engine, place: Path, class_: Kind, extra: list[str], limit: str
) -> None:
    """`limit` is of its address space, in KiB."""
    _whole(place / "model.gguf")
    endpoint = str(place / "a.sock")
    line = command(real.path, model(place / "model.gguf"), endpoint, await examine(real)) + extra
    shell = ["/bin/sh", "-c", f'ulimit -v {limit}; exec "$@"', "sh"]
    server = await launch(real, [*shell, *line], endpoint, place / "log", model(place / "model.gguf"))
    with anyio.fail_after(20):
        ended = await server.wait()
    server.close()
    assert ended.signal, "after it has complained it crashes"
    assert ended.kind == class_, ended


@pytest.mark.parametrize(("number", "class_"), [(4, "illegal_instruction"), (9, "signal"), (11, "signal")])
async def test_what_a_signal_means(start: Start, number: int, class_: Kind) -> None:
    server = await start()
    await until(server.healthy)
    os.kill(server.pid, number)
    ended = await server.wait()
    assert (ended.signal, ended.kind) == (number, class_)


# How it is started


async def test_a_session_and_an_environment_of_its_own(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(place)
    for name in ("LLAMA_ARG_CTX_SIZE", "LLAMA_API_KEY", "HF_TOKEN", "NOTIFY_SOCKET", "LLAMACTL_CONFIG"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("KEPT", "yes")
    server = await start()
    seen = await started(place)
    assert seen["session"] == seen["group"] == seen["pid"] == server.pid
    assert "secret" not in seen["environment"].values()
    assert seen["environment"]["KEPT"] == "yes"


async def test_the_engine_may_add_to_the_environment(start: Start, fake: Engine, place: Path) -> None:
    engine = Engine(fake.path, "PATH", {"LD_LIBRARY_PATH": "/libraries"})
    told(place)
    line = [fake.path, "--model", str(place / "model.gguf"), "--host", str(place / "b.sock")]
    server = await launch(engine, line, str(place / "b.sock"), place / "log", model(place / "model.gguf"))
    assert (await started(place))["environment"]["LD_LIBRARY_PATH"] == "/libraries"
    server.kill()
    await server.wait()


async def test_a_stale_socket_is_removed(start: Start, place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(place / "a.sock"))
    server = await start()
    await until(server.healthy)


async def test_a_file_in_place_of_the_socket_is_not_touched(start: Start, place: Path) -> None:
    (place / "a.sock").write_text("precious")
    with pytest.raises(LoadFailed, match="there is a file where llama-server is to listen"):
        await start()
    assert (place / "a.sock").read_text() == "precious"


async def test_a_socket_that_could_not_be_bound(start: Start, place: Path) -> None:
    with pytest.raises(LoadFailed, match="longer than 107 bytes") as caught:
        await start(socket=str(place / ("x" * 100 + ".sock")))
    assert "XDG_RUNTIME_DIR" in caught.value.hint
    with pytest.raises(LoadFailed, match=r"must end with \.sock"):
        await start(socket=str(place / "socket"))
    with pytest.raises(LoadFailed, match="/no/such: it is missing, or not writable"):
        await start(socket="/no/such/a.sock")


async def test_the_longest_socket(start: Start, place: Path) -> None:
    longest = f"{place}/{'x' * (107 - len(str(place)) - 6)}.sock"
    assert len(longest) == 107
    server = await start(socket=longest)
    await until(server.healthy)


async def test_what_cannot_be_spawned(start: Start, place: Path) -> None:
    with pytest.raises(LoadFailed, match="llama-server for tiny could not be started: /no/such: No such file"):
        await start(program="/no/such")
    with pytest.raises(LoadFailed, match="Permission denied"):
        await start(program=str(place / "model.gguf"))
    with pytest.raises(LoadFailed, match=r"no/run\.log: No such file"):
        await start(log="no/run.log")


async def test_the_run_file_is_private_and_appended_to(start: Start, place: Path) -> None:
    (place / "run.log").write_text("error: of yesterday\n" * 3)
    server = await start("-c", "echo error: of today; exit 1", program="/bin/sh")
    ended = await server.wait()
    assert ended.lines == ("error: of today",)
    assert server.progress() == len("error: of today\n")
    other = await start(program="/bin/true", log="new.log")
    await other.wait()
    assert stat.S_IMODE((place / "new.log").stat().st_mode) == 0o600


# Whether it is caught in its end

CAUGHT = """
import ctypes, time
c = ctypes.CDLL(None)
c.signal(15, c.pause)  # a handler that never returns
print(flush=True)
time.sleep(60)
"""


async def test_one_that_stays_in_its_handler_of_sigterm(start: Start) -> None:
    server = await start("-c", CAUGHT, program=sys.executable)

    async def begun() -> bool:
        return bool(server.progress())

    async def ending() -> bool:
        return server.ending()

    await until(begun)
    assert not server.ending()
    server.terminate()
    await until(ending)
    server.kill()
    await server.wait()
    assert not server.ending(), "it is gone"


async def test_one_that_takes_sigterm_when_it_likes_is_not_caught(start: Start, place: Path) -> None:
    told(place)
    server = await start()
    await until(server.healthy)
    assert not server.ending(), "it holds the signal back, and has no handler"


# Whether it serves


async def test_healthy_only_when_loaded(start: Start, place: Path) -> None:
    told(place, load_seconds=1.5)  # long enough to be seen on a busy machine
    server = await start()

    async def loading() -> bool:
        with suppress(OSError):
            return (await anyio.to_thread.run_sync(ask, server.endpoint, "/health")).status == 503
        return False

    await until(loading)
    assert not await server.healthy()
    await until(server.healthy)


async def test_never_healthy_if_it_never_listens(start: Start, place: Path) -> None:
    told(place, never_listen=True)
    server = await start()
    await started(place)
    assert not await server.healthy()


async def test_a_foreign_server_at_its_socket_is_not_it(start: Start, place: Path) -> None:
    foreign = await start(socket=str(place / "foreign.sock"))
    await until(foreign.healthy)
    told(place, never_listen=True)
    server = await start()
    (place / "foreign.sock").rename(place / "a.sock")
    assert (await anyio.to_thread.run_sync(ask, server.endpoint, "/health")).status == 200
    assert not await server.healthy()


async def test_a_wrapper_that_starts_the_server_is_it(start: Start, place: Path) -> None:
    told(place, fork="server", own_group=True)
    server = await start()
    await until(server.healthy)


# How it ends


async def test_the_end_may_be_awaited_by_several_and_again_later(start: Start) -> None:
    server = await start()
    await until(server.healthy)
    ends: list[Exit] = []

    async def wait() -> None:
        ends.append(await server.wait())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(wait)
            with anyio.move_on_after(0.01):
                await server.wait()  # one that gives up takes the others nothing
            server.terminate()
        ends.append(await server.wait())
    assert len(ends) == 6
    assert {id(end) for end in ends} == {id(ends[0])}
    assert ends[0].reason == "stopped"


async def test_the_one_who_waits_for_all_gives_up(start: Start) -> None:
    server = await start()
    await until(server.healthy)
    later: list[Exit] = []

    async def wait() -> None:
        later.append(await server.wait())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as first:
                group.start_soon(wait)
                first.cancel()
                await server.wait()
            server.terminate()
    assert later[0].reason == "stopped"


async def test_without_descriptors_of_processes(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "_pidfd", lambda pid: None)
    server = await start()
    await until(server.healthy)
    with anyio.move_on_after(0.01):
        await server.wait()
    server.terminate()
    with anyio.fail_after(10):
        assert (await server.wait()).reason == "stopped"
    server.terminate()
    server.kill()


async def test_signals_to_one_that_is_gone(start: Start) -> None:
    server = await start(program="/bin/false")
    ended = await server.wait()
    server.terminate()
    server.kill()
    assert (await server.wait()) == ended
    assert (ended.reason, ended.code) == ("exit code 1, without a word", 1)


async def test_a_signal_after_the_end_does_not_explain_it(start: Start) -> None:
    server = await start(program="/bin/false")

    async def ended() -> bool:
        return psutil.Process(server.pid).status() == psutil.STATUS_ZOMBIE

    await until(ended)
    server.terminate()
    server.kill()
    assert (await server.wait()).reason == "exit code 1, without a word"


async def test_one_that_ignores_sigterm(start: Start, place: Path) -> None:
    told(place, ignore_sigterm=True)
    server = await start()
    await until(server.healthy)
    server.terminate()

    async def noticed() -> bool:
        return bool(records(place, "sigterm"))

    await until(noticed)
    assert await server.healthy()
    server.kill()
    with anyio.fail_after(5):
        ended = await server.wait()
    assert (ended.reason, ended.signal) == ("stopped by force", 9)


async def test_a_second_sigterm_while_a_request_is_in_flight(start: Start, place: Path) -> None:
    told(place, first_byte_delay=60)
    server = await start()
    await until(server.healthy)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.endpoint)
        client.sendall(b"POST /completion HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")

        async def in_flight() -> bool:
            return any(record["path"] == "/completion" for record in records(place, "request"))

        async def noticed() -> bool:
            return bool(records(place, "sigterm"))

        await until(in_flight)
        server.terminate()
        await until(noticed)
        assert await server.healthy(), "it waits for the client"
        server.terminate()
        with anyio.fail_after(5):
            assert (await server.wait()).code == 1


@pytest.mark.parametrize("own_group", [False, True], ids=["same group", "own group"])
@pytest.mark.parametrize("fork", ["server", "bystander"])
@pytest.mark.parametrize("end", ["terminate", "kill"])
async def test_what_it_started_ends_with_it(start: Start, place: Path, fork: str, own_group: bool, end: str) -> None:
    told(place, fork=fork, own_group=own_group)
    server = await start()
    await until(server.healthy)
    (child,) = psutil.Process(server.pid).children()
    getattr(server, end)()
    with anyio.fail_after(5):
        await server.wait()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_crash_at_the_start(start: Start, place: Path) -> None:
    lines = [f"line {number}" for number in range(30)] + ["error: of the worst kind"]
    told(place, crash_at="start", error_lines=lines, exit_code=3)
    ended = await (await start()).wait()
    assert (ended.code, ended.signal, ended.reason) == (3, None, "error: of the worst kind")
    assert ended.lines == tuple(lines[-20:])


async def test_a_crash_by_signal(start: Start, place: Path) -> None:
    told(
        place, crash_at="ready", exit_signal=6, error_lines=["/x.cpp:1: GGML_ASSERT(false) failed", *["#0 frame"] * 40]
    )
    ended = await (await start()).wait()
    assert (ended.code, ended.signal) == (None, 6)
    assert ended.reason == "/x.cpp:1: GGML_ASSERT(false) failed (signal 6, ABRT)"


async def test_killed_by_someone_else(start: Start) -> None:
    server = await start()
    await until(server.healthy)
    psutil.Process(server.pid).kill()
    ended = await server.wait()
    assert ended.reason == f"killed by signal 9 (KILL){output._BY_KERNEL[None if oom.kills() is None else False]}"


async def test_a_program_that_is_no_server(start: Start) -> None:
    ended = await (await start(program="/bin/true")).wait()
    assert (ended.reason, ended.code) == ("ended by itself before it served; is it llama-server?", 0)


async def test_only_the_end_of_a_long_output_is_read(start: Start, place: Path) -> None:
    much = "yes 'öööööööööööööööööööööö' | head -n 100000; printf '\\377\\376 error: at last\\n'; exit 1"
    server = await start("-c", much, program="/bin/sh")
    ended = await server.wait()
    assert server.progress() > 4_000_000
    assert ended.lines[-1].endswith("error: at last")
    assert len(ended.lines) == 20
    assert set(ended.lines[:-1]) == {"öööööööööööööööööööööö"}


async def test_an_output_that_was_taken_away(start: Start, place: Path) -> None:
    server = await start()
    await until(server.healthy)
    (place / "run.log").unlink()
    assert server.progress() == 0
    server.terminate()
    assert (await server.wait()).lines == ()


async def test_fifty_ends_at_once(start: Start, place: Path) -> None:
    servers = [await start("0.1", program="/bin/sleep", socket=str(place / f"{n}.sock")) for n in range(50)]
    began = time.monotonic()
    async with anyio.create_task_group() as group:
        for server in servers:
            group.start_soon(server.wait)
    assert time.monotonic() - began < 10
