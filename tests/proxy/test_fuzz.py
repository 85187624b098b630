"""The fuzzer, for a while; and what it has found earlier, each time."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxy.inputs import look

CORPUS = Path(__file__).parent / "corpus"
SECONDS = int(os.environ.get("LLAMACTL_FUZZ", "8"))


def test_what_was_found_before() -> None:
    inputs = list(CORPUS.iterdir())
    assert len(inputs) > 50
    for path in inputs:
        look(path.read_bytes())


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not for this Python or machine")
def test_what_is_found_now(tmp_path: Path) -> None:
    shutil.copytree(CORPUS, tmp_path / "corpus")
    command = [sys.executable, "-m", "tests.proxy.fuzz", str(tmp_path / "corpus"), f"-max_total_time={SECONDS}"]
    # Its whole memory is not limited: what it takes for its peak is inherited from this process.
    limits = ["-timeout=20", "-rss_limit_mb=0", "-malloc_limit_mb=1500"]
    options = [*limits, f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"]
    done = subprocess.run(command + options, capture_output=True, timeout=SECONDS + 60)
    said = done.stderr.decode(errors="replace")
    found = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert (done.returncode, found) == (0, []), said[-3000:]
    assert "stat::number_of_executed_units" in said
