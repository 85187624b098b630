"""Memory as a user sees it: `fit` and `devices`."""

from pathlib import Path

import pytest

from llamactl.rpc.calls import AddModel, FitModel, ListDevices, ModelCommand, ShowModel, StartModel
from tests.e2e.conftest import Begin
from tests.e2e.running import Home, until
from tests.engines.shaped_model import Shape, write_shaped_model

MIB = 1 << 20


@pytest.fixture
def shaped(tmp_path: Path) -> Path:
    """84 MiB for a context of 16384, of which 64 are for the context."""
    return write_shaped_model(tmp_path / "shaped.gguf", Shape(vocabulary=1024, layers=2, context=16384))


def test_reckoned_then_measured(home: Home, begin: Begin, real_engine: str, shaped: Path) -> None:
    del real_engine  # is there
    begin(llama_server_path="", llama_server_threads="1")
    home.tell(AddModel(str(shaped), "shaped"))
    before = home.tell(FitModel("shaped"))
    assert (before.source, before.context, before.slots, before.trained) == ("arithmetic", 16384, 4, 16384)
    assert before.recommended == {"ctx_size": 16384}
    assert before.devices[0].measured is None
    assert "--verbosity 4" in home.tell(ModelCommand("shaped"))
    home.tell(StartModel("shaped"))
    until(lambda: home.tell(FitModel("shaped")).source == "measured")
    after = home.tell(FitModel("shaped")).devices[0]
    assert after.need == after.measured
    assert abs(after.need - before.devices[0].need) < 2 * MIB
    assert "--verbosity" not in home.tell(ModelCommand("shaped"))
    smaller = home.tell(FitModel("shaped", 4096, 2))
    assert (smaller.context, smaller.slots, smaller.source) == (4096, 2, "arithmetic")
    assert smaller.devices[0].need < after.need - 20 * MIB
    (device,) = home.tell(ListDevices())
    assert (device.name, device.models, device.reserved) == ("host", ("shaped",), before.devices[0].need)


def test_what_does_not_fit(home: Home, begin: Begin, shaped: Path) -> None:
    begin(residency_memory="80MiB")
    home.tell(AddModel(str(shaped), "shaped"))
    found = home.tell(FitModel("shaped"))
    assert found.problem is None
    assert found.added == {"ctx_size": found.context}, "nobody set one: so it is cut down"
    assert found.context < 16384
    large = home.json("fit", "shaped", "--ctx", "1000000", code=9)
    assert large["problem"]["code"] == "does_not_fit"
    assert large["problem"]["hint"] == f"llamactl models set shaped ctx_size={large['recommended']['ctx_size']}"
    home.tell(StartModel("shaped"))
    assert f"--ctx-size {found.context}" in home.tell(ModelCommand("shaped"))
    said = home.run("fit", "shaped", "--save")
    assert "shaped is changed" in said.stderr
    assert f"{found.context} tokens, 4 slots, " in said.stdout
    shown = {row.name: row.value for row in home.tell(ShowModel("shaped")).settings}
    assert found.context <= shown["ctx_size"] < 16384  # type: ignore[operator]


def test_who_would_be_stopped(home: Home, begin: Begin) -> None:
    begin(residency_max_models="1")
    for name in ("a", "b"):
        home.add(name)
    home.tell(StartModel("a"))
    assert home.tell(FitModel("b")).evicts == ("a",)
    assert "it fits, once these are stopped: a" in home.run("fit", "b").stdout
    assert home.tell(FitModel("a")).evicts == ()
    assert home.json("devices")["items"][0]["models"] == ["a"]
