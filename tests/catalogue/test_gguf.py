"""The first 24 bytes."""

import os
import socket
import struct
from pathlib import Path

import gguf as reference
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamactl.catalogue.gguf import Header, NotUsable, check

from .files import gguf


def reason(path: Path) -> str:
    with pytest.raises(NotUsable) as caught:
        check(path)
    assert caught.value.message == f"{path} is not usable because {caught.value.reason}"
    return caught.value.reason


def test_a_header_is_read(tmp_path: Path) -> None:
    assert check(gguf(tmp_path / "a", 111, tensors=2, values=3, version=2)) == Header(2, 2, 3)


def test_it_agrees_with_the_reference(tmp_path: Path) -> None:
    writer = reference.GGUFWriter(tmp_path / "a", "llama")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert check(tmp_path / "a") == Header(3, 0, 2)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "it is empty"),
        (b"G", "it is truncated (1 bytes)"),
        (b"GGUF\3\0\0\0", "it is truncated (8 bytes)"),
        (b"PK\3\4" + bytes(100), "it is not a GGUF file (starts with 'PK\\x03\\x04')"),
        (b"\xff", "it is not a GGUF file (starts with '\\xff')"),
        (b"'\n", 'it is not a GGUF file (starts with "\'\\n")'),
        (b"version https://git-lfs.github.com/spec/v1\n", "it only stands for a file in Git LFS"),
        (b"tjgg" + bytes(100), "it is in the old GGJT format"),
        (struct.pack("=4sIQQ", b"GGUF", 1, 0, 0), "it is of GGUF version 1"),
        (struct.pack("=4sIQQ", b"GGUF", 4, 0, 0), "it is of GGUF version 4"),
        (struct.pack("=4sIQQ", b"GGUF", 0, 0, 0), "it was written for machines of the other byte order"),
        (struct.pack("=4sIQQ", b"GGUF", 3 << 24, 0, 0), "it was written for machines of the other byte order"),
        (struct.pack("=4sIQQ", b"GGUF", 3, 1, 0), "it is truncated or corrupt"),
        (struct.pack("=4sIqq", b"GGUF", 3, 0, -1), "it is truncated or corrupt"),
    ],
)
def test_what_is_no_model(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert reason(tmp_path / "a").startswith(says)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert reason(tmp_path / "missing") == "it does not exist"
    assert reason(tmp_path) == "it is a directory"
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe") == "it is not a regular file"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    assert reason(tmp_path / "socket") == "it is not a regular file"
    (tmp_path / "link").symlink_to("nowhere")
    assert reason(tmp_path / "link") == "it points to a file that does not exist"
    (tmp_path / "loop").symlink_to("loop")
    assert reason(tmp_path / "loop").startswith("it cannot be read (")
    assert reason(tmp_path / ("x" * 300)).startswith("it cannot be read (")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read any file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    gguf(tmp_path / "a").chmod(0)
    assert reason(tmp_path / "a") == "it cannot be read (Permission denied)"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"GGUF\3\0\0\0" + rest))
def test_any_bytes_are_a_header_or_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    try:
        header = check(path)
    except NotUsable:
        return
    assert content[:4] == b"GGUF" and header.tensor_count * 24 + header.kv_count * 13 + 24 <= len(content)
