"""Files that were sound before somebody changed them, and files that are only there to take time and memory.

The same every time: chance has a seed. `python -m tests.catalogue.mutations DIRECTORY` reads them all, and prints
an `Outcome` as JSON: a process of its own, so that what it takes can be measured.
"""

import random
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from llamactl.catalogue.gguf import NotUsable, read

from . import files
from .peak import peak

FLIPS, CUTS = 600, 100

LIES = [0, 1 << 20, (1 << 31) - 1, 1 << 60, (1 << 63) - 1, (1 << 64) - 1]
"""What is written over every eight bytes in turn, a count or not; the last is negative to llama.cpp."""


HOSTILE = [
    "a billion empty strings",
    "strings of just the wrong lengths",
    "long strings only",
    "a string that goes on for ever",
    "numbers that go on for ever",
    "a name that goes on for ever",
    "values without end",
    "values with long names",
    "many lists by layer",
    "tensors without end",
    "as many tensors as are read",
]


class Outcome(msgspec.Struct):
    """`told` has the reason for each file that is none, and an empty text for each that is one.

    `seconds` of the processor are those of the file that took most, `memory` the bytes that reading all of them added.
    """

    told: dict[str, list[str]]
    seconds: float
    memory: int


def small() -> tuple[bytes, int]:
    """A sound file with every kind of value, and how long its header is."""
    values = {
        "general.architecture": files.text("llama"),
        "general.alignment": files.number(files.U32, 32),
        "general.name": files.text("small"),
        "llama.block_count": files.number(files.U64, 2),
        "llama.embedding_length": files.number(files.U32, 32),
        "llama.attention.head_count": files.array(files.I32, [4, 4]),
        "llama.attention.causal": files.number(files.BOOL, True),
        "llama.rope.freq_base": files.number(files.F64, 1e4),
        "tokenizer.ggml.tokens": files.strings([b"a", b"", b"ccc"]),
        "tokenizer.ggml.scores": files.array(files.F32, [0, 1, 2]),
        "tokenizer.chat_template": files.text("{{ messages }}"),
    }
    tensors = [
        files.tensor("token_embd.weight", [32, 3], 0, 0),
        files.tensor("blk.0.attn_q.weight", [32, 2], 8, 384),
        files.tensor("blk.1.ffn_up_exps.weight", [32, 2, 1, 1], 2, 480),
    ]
    data = bytes(480 + 36)
    whole = files.whole(values, tensors, data)
    return whole, len(whole) - len(data)


def large() -> tuple[bytes, int]:
    """As one of today's, with a vocabulary that is only somewhat smaller."""
    values = {"general.architecture": files.text("llama"), **files.vocabulary(3000, 3000)}
    tensors = [files.tensor(f"blk.{layer}.attn_q.weight", [32], 0, 128 * layer) for layer in range(8)]
    whole = files.whole(values, tensors, bytes(8 * 128))
    return whole, len(whole) - 8 * 128


def cut() -> Iterator[bytes]:
    """The small one cut off at every place of its header and at its end, the large one at some."""
    whole, header = small()
    yield from (whole[:length] for length in (*range(header + 1), len(whole) - 1))
    whole, header = large()
    chance = random.Random(1)
    yield from (whole[: chance.randrange(header)] for _ in range(CUTS))


def flipped() -> Iterator[bytes]:
    """One bit, or two, of the header are not as they were."""
    chance = random.Random(2)
    for whole, header in (small(), large()):
        for turn in range(FLIPS // 2):
            changed = bytearray(whole)
            for _ in range(1 + turn % 2):
                changed[chance.randrange(header)] ^= 1 << chance.randrange(8)
            yield bytes(changed)


def lying() -> Iterator[bytes]:
    """Each eight bytes of the header in turn are another number."""
    whole, header = small()
    for at in range(8, header - 8):
        for lie in LIES:
            yield whole[:at] + struct.pack("<Q", lie) + whole[at + 8 :]


def write_hostile(path: Path, what: str) -> Path:
    """A file that is sound as far as anyone can tell, and far larger than any model's header."""
    architecture = {"general.architecture": files.text("llama")}
    huge = 1 << 34
    match what:
        case "a billion empty strings":
            head = files.whole({**architecture, "x": struct.pack("<IIQ", files.ARRAY, files.STRING, 1 << 30)})
            size = huge
        case "strings of just the wrong lengths":
            few = b"".join([*[files.string(b"")] * 127, files.string(bytes(256))])
            many = (64 << 20) // len(few)
            head = files.whole({**architecture, "x": struct.pack("<IIQ", files.ARRAY, files.STRING, 128 * many)})
            head += few * many
            size = len(head)
        case "long strings only":
            one = files.string(bytes(256))
            many = (64 << 20) // len(one)
            head = files.whole({**architecture, "x": struct.pack("<IIQ", files.ARRAY, files.STRING, many)})
            head += one * many
            size = len(head)
        case "a string that goes on for ever":
            head = files.whole({**architecture, "x": struct.pack("<IQ", files.STRING, huge - 200)})
            size = huge
        case "numbers that go on for ever":
            head = files.whole({**architecture, "x": struct.pack("<IIQ", files.ARRAY, files.U8, huge - 200)})
            size = huge
        case "a name that goes on for ever":
            head = struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, huge - 100)
            size = huge
        case "values without end":
            head = files.whole({f"{number:x}": files.number(files.U8, 0) for number in range(1 << 18)})
            size = len(head)
        case "values with long names":
            head = files.whole({f"{number:x}".ljust(255): files.text("x" * 300) for number in range(1 << 16)})
            size = len(head)
        case "many lists by layer":
            head = files.whole({f"{number:x}": files.array(files.U32, range(9000, 9512)) for number in range(1 << 14)})
            size = len(head)
        case "tensors without end":
            tensors = (
                files.tensor(f"blk.{number}.{number:x}".ljust(63), [1, 1, 1, 1], 0, 32 * number)
                for number in range(1 << 17)
            )
            head = files.whole(architecture, tensors)
            size = huge
        case "as many tensors as are read":
            tensors = (
                files.tensor(f"blk.{number}.{number:x}".ljust(63), [1, 1, 1, 1], 0, 32 * number)
                for number in range(1 << 16)
            )
            head = files.whole(architecture, tensors)
            size = huge
        case _:
            raise ValueError(what)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def main() -> None:
    directory = Path(sys.argv[1])
    corpora = {"cut": cut(), "flipped": flipped(), "lying": lying()}
    told: dict[str, list[str]] = {}
    slowest = 0.0
    path = directory / "a"
    before = peak()
    for name, corpus in corpora.items():
        told[name] = []
        for content in corpus:
            path.unlink(missing_ok=True)  # a file that is written over is written out to the disk first, on ext4
            path.write_bytes(content)
            seconds, reason = _read(path)
            slowest = max(slowest, seconds)
            told[name].append(reason)
    told["hostile"] = []
    for what in HOSTILE:
        seconds, reason = _read(directory / what)
        slowest = max(slowest, seconds)
        told["hostile"].append(reason)
    sys.stdout.buffer.write(msgspec.json.encode(Outcome(told, slowest, peak() - before)))


def _read(path: Path) -> tuple[float, str]:
    begun = time.thread_time()
    try:
        read(path)
        reason = ""
    except NotUsable as error:
        reason = error.reason
    return time.thread_time() - begun, reason


if __name__ == "__main__":
    main()
