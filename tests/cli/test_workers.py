"""`llamactl rpc`: which worker is meant where none is named. What workers do is in tests/e2e/test_workers.py."""

import pytest

from llamactl.core.worker import PORT
from llamactl.rpc.calls import WorkerRow
from tests.cli.conftest import Llamactl
from tests.cli.stub import Stub


@pytest.mark.parametrize(("running", "meant"), [([9], 9), ([], PORT), ([8, 9], PORT)])
def test_the_log_of_the_only_worker(stub: Stub, llamactl: Llamactl, running: list[int], meant: int) -> None:
    stub.answers["rpc.list"] = [WorkerRow(address=f"127.0.0.1:{port}", state="ready", age=1.0) for port in running]
    assert f"no log of a worker on 127.0.0.1:{meant}\n" in llamactl("rpc", "logs").err
    assert "no log of a worker on 127.0.0.1:7\n" in llamactl("rpc", "logs", ":7").err
