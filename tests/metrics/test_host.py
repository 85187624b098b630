"""The machine's memory, as it is here."""

import mmap
import os
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from llamactl.metrics.host import HostMeter, ProcessMeter, available_memory, listener, private_memory

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


def test_who_listens_may_be_missed_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or be one that has gone by the time that it is asked for its name."""
    look = psutil.net_connections
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        own = next(each for each in look("tcp") if each.laddr[1:] == (port,))
        for first in ([], [own._replace(pid=2**22 + 1)]):
            looks = iter([first])
            monkeypatch.setattr(psutil, "net_connections", lambda kind, looks=looks: next(looks, None) or look(kind))
            assert listener(port).endswith(f"(pid {os.getpid()})")
    assert listener(port) == ""


def test_shares_and_rates_are_between_two_looks() -> None:
    clock = time.monotonic
    meter = HostMeter(list, clock)
    first = meter.measure()
    assert (first.cpu, first.cores, first.received) == (None, (), None)
    before, begun = psutil.cpu_times(), clock()
    while clock() - begun < 0.3:
        sum(range(1000))
    found, after = meter.measure(), psutil.cpu_times()
    assert len(found.cores) == psutil.cpu_count()
    passed = sum(after) - sum(before)
    busy = passed - (after.idle + after.iowait - before.idle - before.iowait)
    assert found.cpu is not None and abs(found.cpu - 100 * busy / passed) < 20
    assert max(found.cores) > 50 and all(0 <= core <= 100 for core in found.cores)
    assert found.received is not None and found.received >= 0


def test_memory_swap_and_load_are_what_the_kernel_says() -> None:
    found = HostMeter(list, time.monotonic).measure()
    told = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    kilobytes = {name: int(value.split()[0]) << 10 for name, value in told.items()}
    assert found.memory_total == kilobytes["MemTotal"]
    assert abs(found.memory_available - kilobytes["MemAvailable"]) < 128 << 20
    assert found.swap_total == kilobytes["SwapTotal"]
    assert found.load is not None
    assert abs(found.load[2] - float(Path("/proc/loadavg").read_text().split()[2])) < 1


def test_each_file_system_once_as_df_has_it(tmp_path: Path) -> None:
    meter = HostMeter(lambda: ["/", str(tmp_path), str(tmp_path), "/nowhere", "/dev/shm"], time.monotonic)
    found = meter.measure().disks
    assert found[0].path == "/" and len({os.stat(disk.path).st_dev for disk in found}) == len(found)  # noqa: PTH116
    for disk in found:
        line = subprocess.run(["df", "-B1", "--output=size,avail,pcent", disk.path], capture_output=True, text=True)
        size, free, percent = line.stdout.splitlines()[1].split()
        assert disk.total == int(size) and abs(disk.free - int(free)) < 256 << 20
        assert disk.usage is not None and abs(disk.usage - int(percent.rstrip("%"))) <= 1.5


def test_a_process_that_works() -> None:
    meter = ProcessMeter(time.monotonic)
    with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as process:
        try:
            first = meter.measure([process.pid, 2**22 + 1])
            assert first.keys() == {process.pid} and first[process.pid].cpu is None
            used = psutil.Process(process.pid).cpu_times().user
            while psutil.Process(process.pid).cpu_times().user - used < 0.2:
                time.sleep(0.01)  # what another process does wakes nobody here
            found = meter.measure([process.pid])[process.pid]
        finally:
            process.kill()
    assert found.cpu is not None and 5 < found.cpu < 110
    assert found.threads == 1 and 0 < found.memory < 64 * MEGABYTE
    assert meter.measure([process.pid]) == {}
