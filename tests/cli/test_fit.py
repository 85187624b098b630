"""`llamactl fit` on a terminal of 80 columns, and wider."""

import pytest

from llamactl.core.parts import Parts
from llamactl.rpc.calls import FitDevice, FitReport
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub

MIB = 1 << 20
PARTS = Parts(weights=92 * MIB, kv=180 * MIB, state=111 * MIB, compute=225 * MIB, output=MIB, overhead=44 * MIB)
HOST = FitDevice(name="host", need=653 * MIB, projected=PARTS, measured=244 * MIB, free=1023 << 30, budget=1022 << 30)


def report(source: str) -> FitReport:
    return FitReport(
        model="qwen", source=source, context=4096, slots=4, trained=8192, devices=[HOST], added={}, recommended={}
    )


def test_no_line_is_longer_than_a_terminal(stub: Stub, llamactl: Llamactl) -> None:
    stub.answers["models.fit"] = report("measured")
    said = llamactl("fit", "qwen")
    assert max(map(len, said.out.splitlines())) <= 80
    head, row = said.out.splitlines()[2:4]
    assert head.split() == ["DEVICE", "WEIGHTS", "KV", "STATE", "COMPUTE", "OTHER", "NEEDS", "FREE"]
    assert "45 MiB" in row, "output and overhead together"


def test_wide_has_it_all(stub: Stub, llamactl: Llamactl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stub.answers["models.fit"] = report("measured")
    head, row = llamactl("fit", "qwen", "-o", "wide").out.splitlines()[2:4]
    assert "OVERHEAD" in head and "MEASURED" in head and "FOR MODELS" in head and "OTHER" not in head
    assert "244 MiB" in row and "1022 GiB" in row


@pytest.mark.parametrize(
    ("source", "words"),
    [("measured", "as it was measured"), ("fit-params", "as llama-fit-params says"), ("arithmetic", "by arithmetic")],
)
def test_it_says_where_the_need_is_from(stub: Stub, llamactl: Llamactl, source: str, words: str) -> None:
    stub.answers["models.fit"] = report(source)
    assert llamactl("fit", "qwen").out.startswith(f"qwen: 4096 tokens, 4 slots, {words}\n")
