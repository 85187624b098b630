"""The machine's memory, as it is here."""

import mmap
import os
from pathlib import Path

import psutil

from llamactl.metrics.host import available_memory, private_memory

MEGABYTE = 1 << 20


def test_there_is_some_memory_and_less_than_all() -> None:
    assert 0 < available_memory() <= psutil.virtual_memory().total


def test_what_a_process_takes_counts() -> None:
    before = private_memory(os.getpid())
    ballast = b"x" * (64 * MEGABYTE)
    assert private_memory(os.getpid()) - before > 0.9 * len(ballast)


def test_files_that_it_maps_do_not_count(tmp_path: Path) -> None:
    """llama-server maps the weights: the system has counted their pages as available already."""
    file = tmp_path / "weights"
    file.write_bytes(b"x" * (64 * MEGABYTE))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as weights:
        before = private_memory(os.getpid())
        assert all(weights[page] == ord("x") for page in range(0, len(weights), mmap.PAGESIZE))
        assert abs(private_memory(os.getpid()) - before) < 8 * MEGABYTE


def test_a_process_that_is_gone_takes_nothing() -> None:
    assert private_memory(2**22 + 1) == 0
