"""A stand-in for NVIDIA's driver library, compiled here, for the real pynvml to load."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("nvml.c")
NAME = "libnvidia-ml.so.1"
NOT_SUPPORTED, DRIVER_NOT_LOADED, GPU_IS_LOST, UNKNOWN = 3, 9, 15, 999


def built(directory: Path) -> Path:
    """The library; the directory is one for `LD_LIBRARY_PATH`."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not here (Debian: apt-get install gcc)")
    library = directory / NAME
    command = ["gcc", "-shared", "-fPIC", "-O1", f"-Wl,-soname,{NAME}", "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True)
    return library


class Pretence:
    """What the library tells of its two GPUs; see `nvml.c`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._pretend = library.pretend
        self._pretend.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong]
        self._pretend.restype = ctypes.c_longlong

    def fails(self, gpu: int, error: int) -> None:
        self._pretend(gpu, 0, error)

    def used(self, gpu: int, size: int) -> None:
        self._pretend(gpu, 1, size)

    def process(self, gpu: int, pid: int, size: int) -> None:
        self._pretend(gpu, 2, pid)
        self._pretend(gpu, 3, size)

    def refuses(self, error: int) -> None:
        self._pretend(0, 4, error)

    def count(self, count: int) -> None:
        self._pretend(0, 5, count)

    @property
    def users(self) -> int:
        return int(self._pretend(0, 6, 0))


@contextmanager
def loaded(library: Path) -> Iterator[Pretence]:
    """In this process: whoever asks the loader for the library by its name gets what is loaded already."""
    import _ctypes

    import pynvml

    opened = ctypes.CDLL(str(library))
    try:
        yield Pretence(opened)
    finally:
        pynvml.nvmlLib = None
        pynvml._nvmlGetFunctionPointer_cache.clear()
        while True:  # until nobody holds it
            try:
                again = ctypes.CDLL(NAME, mode=os.RTLD_NOLOAD)
            except OSError:
                break
            _ctypes.dlclose(again._handle)
            _ctypes.dlclose(again._handle)
