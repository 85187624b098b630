"""`restart`, `pin`, `unpin`, `wait`, and what would be done without doing it."""

import pytest

from llamactl.core.errors import DoesNotFit, TimedOut
from llamactl.rpc.calls import InstanceRow, Plan
from tests.cli.conftest import Llamactl
from tests.cli.stub import QWEN, Stub


def row(name: str, **_: object) -> InstanceRow:
    return InstanceRow(name=name, state="ready")


@pytest.mark.parametrize(("ttl", "seconds"), [("10m", 600.0), ("-1", -1.0), ("0", 0.0)])
def test_a_start_with_a_ttl_of_its_own(stub: Stub, llamactl: Llamactl, ttl: str, seconds: float) -> None:
    stub.answers["instances.start"] = row
    assert llamactl("start", "qwen", "--ttl", ttl).code == 0
    assert llamactl("start", "qwen", "--ttl", ttl, "--no-wait").code == 0
    assert [asked["ttl"] for _, asked in stub.asked] == [seconds, seconds]


@pytest.mark.parametrize("command", ["pin", "unpin", "restart"])
def test_commands_of_one_call(stub: Stub, llamactl: Llamactl, command: str) -> None:
    stub.answers[f"instances.{command}"] = row
    assert llamactl(command, "a", "b", "-o", "name").out.split() == ["a", "b"]
    assert [asked["name"] for _, asked in stub.asked] == ["a", "b"]
    assert llamactl(command).code == 2


def test_restart_of_all_is_of_those_that_run(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["instances.list"] = [QWEN, InstanceRow(name="pinned", state="stopped", pinned=True)]
    stub.answers["instances.restart"] = row
    assert llamactl("restart", "--all", "--drain", "5s").code == 0
    assert stub.asked[1:] == [("instances.restart", {"name": "qwen3:8b", "drain": 5.0})]
    stub.answers["instances.list"] = []
    assert llamactl("restart", "--all").code == 0


def test_wait(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["instances.wait"] = row
    assert llamactl("wait", "qwen", "--for", "idle", "--timeout", "2s").code == 0
    assert stub.asked == [("instances.wait", {"name": "qwen", "state": "idle", "timeout": 2.0})]
    stub.answers["instances.wait"] = TimedOut("qwen is loading after 2 s")
    assert llamactl("wait", "qwen").code == 8
    assert llamactl("wait", "qwen", "--for", "christmas").code == 2


def test_what_a_start_would_do(stub: Stub, llamactl: Llamactl) -> None:
    memory = {"host": 2 << 30, "cuda0": 6 << 30}
    stub.answers["instances.plan"] = lambda name: Plan(
        name=name, state="stopped", need=memory, free={"host": 1 << 30}, evicts=["gemma", "phi"]
    )
    said = llamactl("start", "qwen", "--dry-run")
    assert said.code == 0
    assert "2 GiB + 6 GiB on cuda0" in said.out and "would stop gemma, phi" in said.out
    assert [method for method, _ in stub.asked] == ["instances.plan"]
    problem = DoesNotFit("needs 6 GiB on cuda0").problem()
    stub.answers["instances.plan"] = Plan(name="qwen", state="stopped", need=memory, free={}, problem=problem)
    said = llamactl("start", "qwen", "--dry-run")
    assert said.code == 9 and "needs 6 GiB on cuda0" in said.out


def test_what_a_stop_would_do(stub: Stub, llamactl: Llamactl) -> None:
    assert llamactl("stop", "qwen3:8b", "--dry-run", "-o", "name").out == "qwen3:8b\n"
    assert [method for method, _ in stub.asked] == ["instances.list"]


def test_ps_shows_who_sleeps_and_how_long_it_takes(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["instances.list"] = [
        InstanceRow(name="a", state="ready", sleeping=True),
        InstanceRow(name="b", state="stopped", waiting=3, position=1, eta=12.0),
    ]
    _, asleep, waits = llamactl("ps").out.splitlines()
    assert "sleeping" in asleep
    assert waits.split()[-6:] == ["0", "3", "12s", "-", "-", "-"]
    stub.answers["instances.list"] = [InstanceRow(name="a", state="ready", restarts=2, memory={"host": 1, "cuda0": 2})]
    titles, died = llamactl("ps").out.splitlines()
    assert "RESTARTS" in titles and "ETA" not in titles and died.split()[2] == "host,cuda0"
