"""How much of its files a llama-server has taken in, as the kernel counts it."""

import os
import re
from contextlib import suppress
from pathlib import Path

LIBRARIES = 32 << 20
"""Bytes of its program and libraries that a llama-server touches at the most; one without CUDA 20 MB."""

_READ = re.compile(r"^rchar: (\d+)$", re.MULTILINE)


def loaded(pid: int) -> int:
    """Bytes of files that the process has read, or mapped and touched, but for its libraries; 0 where nobody counts.

    Measured with `--mmap` and without: either number goes to the size of the model, and the other stays small.
    """
    touched = read = 0
    with suppress(OSError, ValueError, IndexError):
        touched = int(Path(f"/proc/{pid}/statm").read_text().split()[2]) * os.sysconf("SC_PAGE_SIZE") - LIBRARIES
    with suppress(OSError):
        found = _READ.search(Path(f"/proc/{pid}/io").read_text())
        read = int(found[1]) if found else 0
    return max(touched, read, 0)
