"""What is read of a file, where the `gguf` package is no judge: broken files, odd ones, several."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from llamactl.catalogue.gguf import NotUsable, fingerprint, read, read_all
from llamactl.catalogue.gguf.header import MOST_TENSORS, MOST_VALUES
from llamactl.core.facts import Facts

from .files import BOOL, F32, I32, I64, STRING, U8, U32, U64, array, number, string, tensor, text, whole

LLAMA = {"general.architecture": text("llama")}


def put(place: Path, values: Mapping[str, bytes], tensors: Sequence[bytes] = (), data: bytes = b"") -> Path:
    path = place / "a.gguf"
    path.unlink(missing_ok=True)
    path.write_bytes(whole(LLAMA | dict(values), tensors, data))
    return path


def reason(path: Path) -> str:
    with pytest.raises(NotUsable) as caught:
        read(path)
    assert caught.value.path == path
    return caught.value.reason


# --- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, says",
    [
        ({"": number(U8, 1)}, "it is corrupt (a key is empty)"),
        ({"x": struct.pack("<I", 13)}, "it is corrupt ('x' is of the unknown type 13)"),
        ({"x": struct.pack("<IIQ", 9, 9, 0)}, "it is corrupt ('x' is an array of arrays)"),
        ({"x": struct.pack("<IIQ", 9, 77, 0)}, "it is corrupt ('x' is an array of the unknown type 77)"),
        ({"general.alignment": number(U32, 0)}, "it is corrupt (its general.alignment is no power of 2)"),
        ({"general.alignment": number(U32, 48)}, "it is corrupt (its general.alignment is no power of 2)"),
        ({"general.alignment": text("32")}, "it is corrupt (its general.alignment is no power of 2)"),
        ({"x": struct.pack("<IQ", STRING, 1 << 63)}, "it is truncated or corrupt (its header says more than its "),
        ({"x": struct.pack("<IIQ", 9, STRING, 1 << 62)}, "it is truncated or corrupt (its header says more than its "),
        ({"x": struct.pack("<IIQ", 9, U64, 1 << 61)}, "it is truncated or corrupt (its header says more than its "),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, values: dict[str, bytes], says: str) -> None:
    assert reason(put(tmp_path, values)).startswith(says)


@pytest.mark.parametrize(
    "value",
    [
        struct.pack("<IQ", STRING, 1000) + bytes(900),
        struct.pack("<IIQ", 9, STRING, 2) + string("x" * 500) + struct.pack("<Q", 1000) + bytes(900),
        struct.pack("<IIQ", 9, U64, 1 << 13) + bytes(900),
    ],
)
def test_a_last_value_that_goes_on_after_the_end(tmp_path: Path, value: bytes) -> None:
    assert reason(put(tmp_path, {"x": value})).startswith("it is truncated or corrupt (its header says more than its ")


def test_more_strings_than_there_is_room_for_are_told_before_all_are_read(tmp_path: Path) -> None:
    path = put(tmp_path, {"x": struct.pack("<IIQ", 9, STRING, 1 << 40)})
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    assert reason(path).startswith("it is truncated or corrupt (")


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    one = string("llama.block_count") + number(U32, 1)
    (tmp_path / "a").write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 2) + one + one)
    assert reason(tmp_path / "a") == "it is corrupt ('llama.block_count' is in it twice)"


@pytest.mark.parametrize(
    "tensors, says",
    [
        ([tensor("x", [1] * 5, 0, 0)], "the tensor 'x' has 5 dimensions"),
        ([tensor("x", [-1], 0, 0)], "the tensor 'x' has the shape [-1]"),
        ([tensor("x", [1 << 32, 1 << 31], 0, 0)], "the tensor 'x' has the shape [4294967296, 2147483648]"),
        ([tensor("x", [33], 8, 0)], "the tensor 'x' of type Q8_0 has rows of 33 elements"),
        ([tensor("x", [1], 0, 0), tensor("y", [1], 0, 64)], "the tensor 'y' is not where the one before it ends"),
        ([tensor("x", [1], 0, 0), tensor("x", [1], 0, 32)], "the tensor 'x' is in it twice"),
    ],
)
def test_tensors_that_cannot_be(tmp_path: Path, tensors: list[bytes], says: str) -> None:
    assert reason(put(tmp_path, {}, tensors, bytes(100))) == f"it is corrupt ({says})"


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    tensors = [tensor("x", [8], 0, 0), tensor("y", [32, 2], 8, 32)]
    size = put(tmp_path, {}, tensors, bytes(32 + 68)).stat().st_size
    read(put(tmp_path, {}, tensors, bytes(32 + 68)))
    assert reason(put(tmp_path, {}, tensors, bytes(32 + 67))) == f"it is truncated: 1 bytes missing of {size}"
    assert reason(put(tmp_path, {}, tensors, bytes(7))) == f"it is truncated: 93 bytes missing of {size}"


def test_an_alignment_that_is_no_mistake_but_too_large(tmp_path: Path) -> None:
    path = put(tmp_path, {"general.alignment": number(U32, 1 << 31)}, [tensor("x", [1], 0, 0)], bytes(32))
    assert reason(path) == f"it is truncated: {(1 << 31) + 4 - path.stat().st_size} bytes missing of {(1 << 31) + 4}"


# --- what may be ---------------------------------------------------------------------------------


def test_values_of_a_type_or_size_that_no_model_has_are_as_good_as_none(tmp_path: Path) -> None:
    values = {
        "general.name": number(U32, 3),
        "general.license": array(U32, [1, 2]),
        "general.file_type": text("Q8_0"),
        "llama.context_length": number(I32, -1),
        "llama.embedding_length": number(U64, 1 << 32),
        "llama.block_count": number(F32, 2.0),
        "llama.attention.head_count": array(I64, [4, -4]),
        "llama.feed_forward_length": array(F32, [1.0]),
        "llama.attention.sliding_window": number(BOOL, True),
        "llama.attention.sliding_window_pattern": number(U32, 0),
        "llama.pooling_type": number(I32, 99),
        "tokenizer.chat_template": number(U8, 1),
        "tokenizer.ggml.tokens": number(U32, 5),
    }
    assert read(put(tmp_path, values)) == Facts(architecture="llama")


def test_no_byte_of_a_name_reaches_a_terminal_as_it_is(tmp_path: Path) -> None:
    found = read(put(tmp_path, {"general.name": text(b"a\x1b[2J\n\xff\xc3\xa9"), "general.license": text("x" * 999)}))
    assert found.title == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}é"
    assert found.licence == "x" * 256


def test_a_type_that_we_do_not_know_has_the_bytes_up_to_the_next_tensor(tmp_path: Path) -> None:
    tensors = [
        tensor("blk.0.x.weight", [64, 2], 199, 0),
        tensor("blk.1.x.weight", [8], 0, 96),
        tensor("blk.2.x.weight", [64], 199, 128),
    ]
    found = read(put(tmp_path, {}, tensors, bytes(128 + 50)))
    assert found.layer_bytes == (96, 32, 50)
    assert (found.parameters, found.quantisation) == (128 + 8 + 64, "")


def test_so_many_values_or_tensors_are_not_read_to_the_end(tmp_path: Path) -> None:
    late = {f"{turn:x}": number(U8, 0) for turn in range(MOST_VALUES)} | {"llama.block_count": number(U32, 2)}
    assert read(put(tmp_path, late)) == Facts(architecture="llama")
    tensors = [tensor(f"{turn:x}", [1], 24, 32 * turn) for turn in range(MOST_TENSORS + 1)]
    assert read(put(tmp_path, {}, tensors, bytes(32 * len(tensors)))) == Facts(architecture="llama")
    assert read(put(tmp_path, {}, tensors[:-1], bytes(32 * len(tensors)))).parameters == MOST_TENSORS


def test_more_elements_than_can_be_are_not_counted(tmp_path: Path) -> None:
    tensors = [tensor("x", [1 << 62], 199, 0), tensor("y", [1 << 62], 199, 32)]
    assert read(put(tmp_path, {}, tensors, bytes(64))).parameters is None


def test_tensors_of_nothing_and_of_one_number(tmp_path: Path) -> None:
    tensors = [tensor("none", [0, 5], 0, 0), tensor("one", [], 0, 0), tensor("blk.9999.x", [2], 0, 32)]
    found = read(put(tmp_path, {}, tensors, bytes(40)))
    assert (found.parameters, found.output_bytes, found.layer_bytes) == (3, 12, ())


def test_a_projector_from_before_there_was_sound(tmp_path: Path) -> None:
    assert read(put(tmp_path, {"general.architecture": text("clip")})).modalities == ("image",)
    sound = {"general.architecture": text("clip"), "clip.has_audio_encoder": number(BOOL, True)}
    assert read(put(tmp_path, sound)).modalities == ("audio",)


@pytest.mark.parametrize("kind", ["adapter", "imatrix"])
def test_other_files_say_what_they_are(tmp_path: Path, kind: str) -> None:
    assert read(put(tmp_path, {"general.type": text(kind)})).kind == kind


def test_the_file_type_goes_before_the_types_of_the_tensors(tmp_path: Path) -> None:
    tensors = [tensor("x", [32], 0, 0), tensor("y", [64], 8, 128)]
    data = bytes(128 + 68)
    assert read(put(tmp_path, {}, tensors, data)).quantisation == "Q8_0"
    assert read(put(tmp_path, {"general.file_type": number(U32, 15)}, tensors, data)).quantisation == "Q4_K_M"
    assert read(put(tmp_path, {"general.file_type": number(U32, 1024 + 17)}, tensors, data)).quantisation == "Q5_K_M"
    assert read(put(tmp_path, {"general.file_type": number(U32, 999)}, tensors, data)).quantisation == "Q8_0"


# --- several files, and which one it is ----------------------------------------------------------


def test_the_parts_of_a_model_are_summed(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(whole(LLAMA | {"split.count": number(U32, 2)}, [tensor("blk.0.x", [3], 0, 0)], bytes(12)))
    rest = [tensor("blk.1.x", [5], 0, 0), tensor("output.weight", [2], 0, 32)]
    second.write_bytes(whole({"split.no": number(U32, 1)}, rest, bytes(40)))
    found = read_all([first, second])
    assert (found.architecture, found.parameters, found.layer_bytes, found.output_bytes) == ("llama", 10, (12, 20), 8)
    second.write_bytes(second.read_bytes()[:-1])
    with pytest.raises(NotUsable) as caught:
        read_all([first, second])
    assert caught.value.path == second


def test_a_fingerprint_goes_with_the_content(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    content = whole(LLAMA, [tensor("x", [1 << 18], 0, 0)], bytes(1 << 20))
    a.write_bytes(content)
    b.write_bytes(content)
    mark = fingerprint(a)
    assert fingerprint(b) == mark and len(mark) == 32
    for changed in (content + b"\0", content[:-1] + b"\1", content.replace(b"llama", b"gemma")):
        b.write_bytes(changed)
        assert fingerprint(b) != mark
    with pytest.raises(NotUsable, match="does not exist"):
        fingerprint(tmp_path / "c")
    (tmp_path / "small").write_bytes(b"x")
    assert fingerprint(tmp_path / "small")
