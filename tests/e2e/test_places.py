"""Places in memory, as the command line and clients see them."""

from pathlib import Path

from llamactl.rpc.calls import Reexec, StartModel, StopModel
from tests.e2e.conftest import Begin
from tests.e2e.running import Home, together, until
from tests.e2e.test_deaths import REAL, row


def test_pins_plans_restarts_and_reasons(home: Home, begin: Begin) -> None:
    daemon = begin(residency_max_models="1")
    for name in ("alpha", "beta"):
        home.add(name)
    home.run("pin", "alpha")
    home.run("start", "alpha", "--ttl", "1h")
    assert 3500 < (row(home, "alpha").ttl or 3600) <= 3600
    assert daemon.chat("beta").status == 507
    assert home.json("start", "beta", "--dry-run", code=9)["items"][0]["problem"]["code"] == "does_not_fit"
    home.run("restart", "alpha")
    assert row(home, "alpha").pinned and len(home.record("alpha", "start")) == 2
    home.run("unpin", "alpha")
    assert home.json("start", "beta", "--dry-run")["items"][0]["evicts"] == ["alpha"]
    assert home.run("wait", "beta", "--timeout", "0.2s", check=False).returncode == 8
    home.run("start", "beta")
    home.run("wait", "alpha", "--for", "stopped")
    assert home.json("why", "alpha")["decision"].startswith("evicted for beta: idle ")
    assert home.json("why", "beta")["decision"].startswith("fits: needs ")
    home.run("wait", "beta", "--for", "idle")


def test_twelve_mixed_requests_are_twelve_answers_and_one_swap(home: Home, begin: Begin) -> None:
    daemon = begin(residency_max_models="1")
    for name in ("alpha", "beta"):
        home.add(name, load_seconds=0.3)
    answers = together(12, lambda n: daemon.chat(("alpha", "beta")[n % 2], f"question {n}"))
    assert [answer.json()["echo"] for answer in answers] == [f"question {n}" for n in range(12)]
    assert len(home.record("alpha", "start")) == len(home.record("beta", "start")) == 1


def test_only_one_of_a_group(home: Home, begin: Begin) -> None:
    daemon = begin(residency_groups="pair=alpha,beta;max=1")
    for name in ("alpha", "beta", "gamma"):
        home.add(name)
        assert daemon.chat(name).status == 200
    until(lambda: daemon.state("alpha") == "stopped")
    assert daemon.state("beta") == daemon.state("gamma") == "ready"


def test_models_are_preloaded_and_stay_pinned(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    home.add("beta")
    home.run("models", "set", "alpha", "pinned=on", "ttl=10s")
    assert daemon.end() == 0
    daemon = begin(models_preload="alpha")
    until(lambda: daemon.state("alpha") == "ready")
    assert row(home, "alpha").pinned
    home.tell(StopModel("alpha"))
    home.tell(Reexec())
    until(lambda: daemon.log().count(" serves on ") == 2)
    home.tell(StartModel("beta"))  # by then it would have begun
    assert daemon.state("alpha") == "stopped" and len(home.record("alpha", "start")) == 1


def test_one_that_sleeps_is_shown_and_not_woken(home: Home, begin: Begin, real_engine: str, tiny: Path) -> None:
    daemon = begin(**REAL)
    home.run("models", "add", str(tiny), "--name", "tiny")
    home.run("models", "set", "tiny", "sleep_idle_seconds=1")
    assert daemon.chat("tiny", max_tokens=4).status == 200
    until(lambda: row(home, "tiny").sleeping)
    for _ in range(20):
        assert row(home, "tiny").sleeping
    assert "sleeping" in home.run("ps").stdout
    assert daemon.chat("tiny", max_tokens=4).status == 200
