"""What it takes to read what files say of their models."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf as reference
import msgspec

from llamactl.catalogue import gguf
from tests.catalogue import files
from tests.catalogue.peak import peak

from .place import ROOT, Place
from .report import show, verdict

TOKENS = 150_000
"""And as many merges, as of Qwen 2 and 3; Llama 3 has 128,256 tokens and 280,147 merges."""
LAYERS = 36
FILES = 200
THREADS = 2
ROUNDS = 5


class Scan(msgspec.Struct):
    seconds: float
    processor: float
    peak: int


def headers(place: Place, names: Sequence[str]) -> None:
    """The header of a file with 150,000 tokens, against the `gguf` package; 200 such files that are in no cache."""
    with tempfile.TemporaryDirectory(dir=place.directory) as directory:
        first = Path(directory) / "0.gguf"
        first.write_bytes(content())
        ours = [seconds(lambda: gguf.read(first)) for _ in range(ROUNDS)]
        theirs = [seconds(lambda: reference.GGUFReader(first)) for _ in range(max(2, ROUNDS // 2))]
        mark = seconds(lambda: gguf.fingerprint(first))
        for number in range(1, FILES):
            shutil.copyfile(first, first.with_name(f"{number}.gguf"))
        scans = [scan(first.parent) for _ in range(3)]
    middle = sorted(scans, key=lambda one: one.seconds)[len(scans) // 2]
    ratio = statistics.median(theirs) / statistics.median(ours)
    show(
        f"one header of {TOKENS:,} tokens and merges",
        ["", "ms", "× llamactl"],
        [
            ("llamactl", 1e3 * statistics.median(ours), 1),
            ("gguf package", 1e3 * statistics.median(theirs), ratio),
            ("fingerprint", 1e3 * mark, mark / statistics.median(ours)),
        ],
    )
    verdict("times as fast as the gguf package", ratio, 50, least=True)
    show(
        f"{FILES} of them, cold, {THREADS} threads",
        ["", "s", "CPU s", "ms each", "MB"],
        [("llamactl", middle.seconds, middle.processor, 1e3 * middle.seconds / FILES, middle.peak / 1e6)],
    )
    verdict("seconds", middle.seconds, 4)
    verdict("MB of the process at most", max(one.peak for one in scans) / 1e6, 100)


def content() -> bytes:
    """A file whose tensors are many and small: only the header counts."""
    parts = ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"]
    names = ["token_embd", "output", *(f"blk.{layer}.{part}" for layer in range(LAYERS) for part in parts)]
    values = {
        "general.architecture": files.text("qwen3"),
        "qwen3.block_count": files.number(files.U32, LAYERS),
        **files.vocabulary(TOKENS, TOKENS),
        "tokenizer.chat_template": files.text("{{ messages }}" * 300),
    }
    tensors = [files.tensor(f"{name}.weight", [32], 0, 128 * number) for number, name in enumerate(names)]
    return files.whole(values, tensors, bytes(128 * len(names)))


def seconds(run: Callable[[], object]) -> float:
    begun = time.monotonic()
    run()
    return time.monotonic() - begun


def scan(directory: Path) -> Scan:
    """All files of the directory, read by a process of its own after they were dropped from the cache."""
    for path in directory.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    line = [sys.executable, "-m", "tests.benchmarks.headers", str(directory)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, timeout=120, check=True)
    return msgspec.json.decode(done.stdout, type=Scan)


def read_all_of(directory: Path) -> Scan:
    paths = sorted(directory.iterdir())
    begun, worked = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(THREADS) as threads:
        assert all(found.vocabulary == TOKENS for found in threads.map(gguf.read, paths))
    taken, worked = time.monotonic() - begun, time.process_time() - worked
    return Scan(taken, worked, peak())


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(read_all_of(Path(sys.argv[1]))))
