"""Whatever is refused here, a real llama-server refuses as well."""

import random
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.catalogue.gguf import NotUsable, read
from tests.engines.tiny_model import write_tiny_model
from tests.llamaserver.builds import Build, installed

from .files import U8, U32, array, number, string, text

SPREAD = 40


@pytest.fixture(scope="module")
def build() -> Build:
    found = installed()
    if isinstance(found, str):
        pytest.skip(found)
    return found


def changed(whole: bytes) -> Iterator[bytes]:
    """A model that loads, with each kind of fault once, and with some that chance chose."""
    version, tensors, values = struct.unpack_from("<IQQ", whole, 4)
    for more in (
        [string("") + number(U8, 1)],
        [string("general.name") + text("x")],
        [string("a.b") + struct.pack("<IIQ", 9, 9, 0)],
        [string("a.b") + struct.pack("<IIQ", 9, 77, 0)],
        [string("a.b") + struct.pack("<II", 99, 1)],
        [string("general.alignment") + number(U32, 48)],
        [string("general.alignment") + number(U32, 4096)],
        [string("a.b") + array(U8, [1]), string("a.b") + text("x")],
    ):
        extra = b"".join(more)
        extra += string("pad") + text("x" * (-(len(extra) + 11 + 12) % 32))  # the tensors stay where they are aligned
        yield whole[:4] + struct.pack("<IQQ", version, tensors, values + len(more) + 1) + extra + whole[24:]
    name = string("output_norm.weight")
    for after, fault in ((0, "<I5"), (4, "<q-1"), (4, "<q0"), (12, "<I1"), (16, "<Q0")):
        at = whole.index(name) + len(name) + after
        new = struct.pack(fault[:2], int(fault[2:]))
        yield whole[:at] + new + whole[at + len(new) :]
    header = whole.index(string("blk.1.ffn_down.weight"))
    chance = random.Random(3)
    for _ in range(SPREAD):
        bits = bytearray(whole)
        bits[chance.randrange(header)] ^= 1 << chance.randrange(8)
        yield bytes(bits)
        yield whole[: chance.randrange(len(whole))]


def test_what_is_refused_does_not_load(tmp_path: Path, build: Build) -> None:
    whole = write_tiny_model(tmp_path / "tiny.gguf").read_bytes()
    refused = 0
    for turn, content in enumerate(changed(whole)):
        path = tmp_path / f"{turn}.gguf"
        path.write_bytes(content)
        try:
            read(path)
        except NotUsable as error:
            refused += 1
            assert not loads(build, path), error.reason
        path.unlink()
    assert refused > SPREAD


def loads(build: Build, path: Path) -> bool:
    """It ends at once, or it loads and never ends."""
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        line = [build.engine.path, "--model", str(path), "--host", f"{place}/s.sock", "--threads", "1"]
        try:
            done = subprocess.run(line, env=build.environment, capture_output=True, timeout=10, check=False)
        except subprocess.TimeoutExpired:
            return True
    return done.returncode == 0
