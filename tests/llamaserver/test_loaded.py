"""What a process has taken in of a file, in each of the ways in which that is done."""

import subprocess
import sys
from pathlib import Path

import pytest

from llamactl.llamaserver.loaded import LIBRARIES, loaded

MIB = 1 << 20
SIZE = 100 * MIB
READ = """
import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
for a in range(int(sys.argv[2])):
    os.pread(f, 1 << 20, a << 20)
"""
MAP = """
import mmap, sys
f = open(sys.argv[1], "rb")
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
sum(m[a] for a in range(0, int(sys.argv[2]) << 20, 4096))
"""


@pytest.mark.parametrize("program", [READ, MAP])
def test_read_and_mapped(tmp_path: Path, program: str) -> None:
    file = tmp_path / "model"
    file.write_bytes(bytes(SIZE))
    found = []
    for part in (0, 50, 100):
        command = [sys.executable, "-c", program + "\nprint(flush=True); input()", str(file), str(part)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline() == b"\n"
            found.append(loaded(process.pid))
            process.kill()
    nothing, half, all_of_it = found
    assert nothing < 5 * MIB
    assert 50 * MIB - LIBRARIES <= half <= 60 * MIB
    assert SIZE - LIBRARIES <= all_of_it <= SIZE + 10 * MIB
    assert loaded(process.pid) == 0, "it is gone"
