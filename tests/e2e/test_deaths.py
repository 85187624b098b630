"""llama-servers that die, hang, or are put down under requests: what is told of it, and what comes after."""

import http.client
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llamactl.rpc.calls import StopModel
from tests.e2e.conftest import Begin
from tests.e2e.running import Daemon, Home, until
from tests.engines.tiny_model import write_misshapen_model

QUICK = {"restart_first": "20ms", "restart_longest": "50ms"}
REAL = {
    "llama_server_path": "",
    "llama_server_ctx_size": "512",
    "llama_server_skip_chat_parsing": "true",
    "llama_server_threads": "1",
}


def why(home: Home, name: str) -> Any:
    told = home.json("why", name)
    assert told["schema"] == "llamactl.why/v1"
    return told


def row(home: Home, name: str) -> Any:
    return next(row for row in home.instances() if row.name == name)


# --- dying, and coming back ---------------------------------------------------------------------------


def test_one_that_is_killed_comes_back_and_a_request_waits_for_it(home: Home, daemon: Daemon) -> None:
    home.add("alpha")
    daemon.chat("alpha")
    [process] = home.processes("fake_llama_server")
    process.send_signal(signal.SIGKILL)
    until(lambda: daemon.state("alpha") == "backoff")
    assert daemon.chat("alpha").status == 200
    [first, second] = home.record("alpha", "start")
    assert second["at"] - first["at"] > 0.9
    assert row(home, "alpha").restarts == 1
    [ended] = why(home, "alpha")["exits"]
    assert (ended["kind"], ended["signal"], ended["state"]) == ("signal", 9, "ready")
    assert ended["pause"] == pytest.approx(1.0, rel=0.11)
    text = home.run("why", "alpha").stdout
    assert "killed by signal 9 (KILL)" in text
    assert "started again 1 time" in text
    assert "listening on" in text, "its last lines"


def test_one_that_always_dies_is_given_up(home: Home, begin: Begin) -> None:
    daemon = begin(**QUICK)
    home.add("alpha", crash_at="start", exit_signal=11)
    answer = daemon.chat("alpha")
    assert answer.status == 503
    assert "given up, since it died 5 times within 600 s" in answer.error["message"]
    assert len(home.record("alpha", "start")) == 5
    again = daemon.chat("alpha")
    assert again.status == 503
    assert int(again.headers["retry-after"]) > 500
    assert len(home.record("alpha", "start")) == 5, "it is not even tried"
    failed = home.run("start", "alpha", check=False)
    assert failed.returncode == 1
    assert "given up" in failed.stderr
    assert len(home.record("alpha", "start")) == 10, "a person may try again"
    assert daemon.state("alpha") == "failed"
    assert [ended["pause"] is None for ended in why(home, "alpha")["exits"]] == [True, *4 * [False]] * 2
    assert "it is given up" in home.run("ps").stderr


def test_its_past_outlives_the_daemon(home: Home, begin: Begin) -> None:
    daemon = begin(**QUICK)
    home.add("alpha", crash_at="start", error_lines=["error: invalid argument: --nonesuch"])
    assert daemon.chat("alpha").status == 503
    until(lambda: why(home, "alpha")["exits"])
    daemon.end()
    begin()
    told = why(home, "alpha")
    assert [ended["kind"] for ended in told["exits"]] == ["bad_argument"], "and that is not tried again"
    assert told["lines"][-1] == "error: invalid argument: --nonesuch"
    assert told["exits"][0]["at"].endswith("Z")


def test_a_stop_while_it_loads_returns_at_once(home: Home, daemon: Daemon) -> None:
    home.add("alpha", load_seconds=60, ignore_sigterm=True)
    home.run("start", "alpha", "--no-wait")
    until(lambda: home.record("alpha", "start"))
    began = time.monotonic()
    home.tell(StopModel("alpha"))  # not the command: how fast that starts is another matter
    assert time.monotonic() - began < 1.5, "two more signals would have taken 4 s"
    assert not home.processes("fake_llama_server")
    [ended] = why(home, "alpha")["exits"]
    assert (ended["kind"], ended["why"]) == ("asked", "stopped on request")


# --- the real one -------------------------------------------------------------------------------------


def test_why_a_real_one_does_not_load(home: Home, begin: Begin, real_engine: str, tiny: Path, tmp_path: Path) -> None:
    daemon = begin(**REAL, **QUICK)
    home.run("models", "add", str(write_misshapen_model(tmp_path / "a.gguf")), "--name", "misshapen")
    home.run("models", "add", str(tiny), "--name", "grammar")
    home.run("models", "set", "grammar", "grammar=root ::= (((")

    def told() -> bool:
        return all(daemon.chat(name).status == 503 and why(home, name)["exits"][0]["kind"] == kind for name, kind in of)

    of = [("misshapen", "corrupt_file"), ("grammar", "assertion")]
    until(told)  # one that ends at once loses its last lines now and then
    assert why(home, "misshapen")["exits"][0]["pause"] is None
    assert [ended["pause"] is None for ended in why(home, "grammar")["exits"][-2:]] == [True, False], "once more"


def test_a_real_one_that_crashes_comes_back(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(**REAL, **QUICK)
    home.run("models", "add", str(tiny), "--name", "tiny")
    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM):
        assert daemon.chat("tiny", max_tokens=4).status == 200
        [process] = home.processes("llama-server")
        process.send_signal(number)
        process.wait(10)
    assert daemon.chat("tiny", max_tokens=4).status == 200
    assert row(home, "tiny").restarts == 3
    exits = why(home, "tiny")["exits"]
    assert [(ended["kind"], ended["signal"]) for ended in exits] == [("ended", None), ("signal", 9), ("signal", 11)]


class Whole:
    """A request for an answer in one piece, in a thread."""

    def __init__(self, daemon: Daemon) -> None:
        self.answer: Any = None
        self._thread = threading.Thread(target=self._run, args=(daemon,))
        self._thread.start()

    def _run(self, daemon: Daemon) -> None:
        self.answer = daemon.chat("tiny", max_tokens=100000)

    def wait(self) -> Any:
        self._thread.join(30)
        return self.answer


def test_stopping_a_real_one_under_requests(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    """llama-server itself would take 30 s with a stream, and for ever with the other."""
    daemon = begin(**{**REAL, "llama_server_ctx_size": "100000"})
    home.run("models", "add", str(tiny), "--name", "tiny")
    with daemon.stream("tiny", max_tokens=100000) as stream:
        stream.readline()
        whole = Whole(daemon)
        until(lambda: row(home, "tiny").leases == 2)
        stopping = threading.Thread(target=home.run, args=("stop", "tiny", "--drain", "1500ms"))
        began = time.monotonic()
        stopping.start()
        refused = []

        def draining() -> bool:
            refused.append(daemon.chat("tiny", max_tokens=1))
            return bool(refused[-1].status == 503)

        until(draining)
        assert refused[-1].error["code"] == "draining"
        assert int(refused[-1].headers["retry-after"]) >= 1
        with pytest.raises(http.client.IncompleteRead) as broken:
            stream.read()
        stopping.join(30)
        assert time.monotonic() - began < 1.5 + 3 + 1, "the drain, the end, and the start of a Python"
    assert b'"error"' in broken.value.partial
    assert b"[DONE]" not in broken.value.partial
    assert whole.wait().status == 502
    assert "stopped" in whole.wait().error["message"]
    assert not home.processes("llama-server")


def test_a_real_one_told_to_end_by_somebody_else_leaves_nobody_waiting(
    home: Home, begin: Begin, real_engine: str, tiny: Path
) -> None:
    """It closes its socket, and then waits without an end; or it stays in its handler of the signal, see `ending`.

    Who has got nothing yet is asked again, of a fresh process.
    """
    daemon = begin(**REAL, **QUICK, restart_wedge_after="20s")
    home.run("models", "add", str(tiny), "--name", "tiny")
    home.run("start", "tiny")
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(daemon.chat("tiny", max_tokens=100000).status))
    asking.start()
    until(lambda: home.instances()[0].leases)
    [process] = home.processes("llama-server")
    process.terminate()
    asking.join(30)
    assert answers in ([502], [200])
    assert daemon.chat("tiny", max_tokens=4).status == 200


def test_a_real_one_that_hangs_is_put_down(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(**REAL, **QUICK, restart_wedge_after="4s", restart_wedged="restart")
    home.run("models", "add", str(tiny), "--name", "tiny")
    with daemon.stream("tiny", max_tokens=100000) as stream:
        stream.readline()
        [process] = home.processes("llama-server")
        process.suspend()
        with pytest.raises(http.client.IncompleteRead) as broken:
            stream.read()
    assert b'"error"' in broken.value.partial
    assert daemon.chat("tiny", max_tokens=4).status == 200
    [ended] = why(home, "tiny")["exits"]
    assert ended["kind"] == "wedged"
    assert json.dumps(ended).count("nothing moved in it for")
