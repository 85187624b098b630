"""`llamactl why`: in words, and as data."""

import msgspec

from llamactl.core.errors import NotFound, UpstreamDied
from llamactl.rpc.calls import ExitRow, Explanation, InstanceRow
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub

DEAD = InstanceRow(
    name="qwen3:8b",
    state="backoff",
    age=2.0,
    restarts=3,
    next_try=6.0,
    problem=UpstreamDied("qwen3:8b ended: killed").problem(),
)
EXITS = [
    ExitRow(at=1700000000.5, state="ready", kind="oom_kill", reason="killed by signal 9 (KILL)", signal=9, pause=8.04),
    ExitRow(at=1600000000.0, state="stopping", kind="asked", reason="stopped", code=0, why="evicted for gemma"),
]
TOLD = Explanation(instance=DEAD, decision="", exits=EXITS, log="/log/1.log", lines=["the last", "[bold]words"])


def test_in_words(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.why"] = TOLD
    said = llamactl("why", "qwen3:8b")
    assert said.code == 0
    assert stub.asked == [("instances.why", {"name": "qwen3:8b"})]
    assert said.out.startswith("qwen3:8b is backoff for 2s\n  qwen3:8b ended: killed\n  it was started again 3 times")
    assert "the next try is in 6s" in said.out
    killed, stopped = (line for line in said.out.splitlines() if line.startswith(("2023-", "2020-")))
    assert "killed by the kernel for lack of memory: killed by signal 9 (KILL); started again after 8.0 s" in killed
    assert stopped.split()[2:] == ["stopping", "asked", "evicted", "for", "gemma"]
    assert said.out.endswith("/log/1.log ends with:\n  the last\n  [bold]words\n")


def test_what_it_wrote_is_told_where_it_ended_by_itself(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.why"] = msgspec.structs.replace(TOLD, exits=EXITS[1:])
    said = llamactl("why", "qwen3:8b")
    assert "evicted for gemma" in said.out and "ends with" not in said.out


def test_what_would_be_another_now(llamactl: Llamactl, stub: Stub) -> None:
    row = InstanceRow(name="gemma-2b", state="ready", outdated=("settings", "llama-server"))
    stub.answers |= {"instances.why": Explanation(instance=row), "instances.list": [row]}
    now = "started now it would have other settings and llama-server: llamactl restart gemma-2b"
    assert now in llamactl("why", "gemma-2b").out
    assert "settings, llama-server" in llamactl("ps", "-o", "wide").out
    assert "OUTDATED" not in llamactl("ps").out


def test_one_that_never_ran(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.why"] = Explanation(instance=InstanceRow(name="gemma-2b", state="stopped"))
    assert llamactl("why", "gemma-2b").out == "gemma-2b is stopped\n"


def test_as_data(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.why"] = TOLD
    told = llamactl("--json", "why", "qwen3:8b").json()
    assert told["schema"] == "llamactl.why/v1"
    assert told["instance"]["next_try"] == 6.0
    assert told["exits"][0]["at"] == "2023-11-14T22:13:20.500Z"
    assert told["exits"][1]["kind"] == "asked"
    assert told["lines"] == ["the last", "[bold]words"]


def test_one_that_is_not_there(llamactl: Llamactl, stub: Stub) -> None:
    stub.answers["instances.why"] = NotFound("no model of that name")
    assert llamactl("why", "nobody").code == 4


def test_ps_tells_of_restarts_and_of_one_that_hangs(llamactl: Llamactl, stub: Stub) -> None:
    hangs = InstanceRow(name="gemma-2b", state="ready", wedged=400.0)
    stub.answers["instances.list"] = [DEAD, hangs]
    said = llamactl("ps")
    header, dead, wedged = said.out.splitlines()
    assert dict(zip(header.split(), dead.split(), strict=False))["RESTARTS"] == "3"
    assert wedged.split()[1] == "wedged"
    assert "qwen3:8b ended: killed; started again in 6s" in said.err
    assert "nothing has moved for 6m40s" in said.err
