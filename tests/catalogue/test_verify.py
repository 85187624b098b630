"""One model in earnest."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from llamactl.catalogue import examine
from llamactl.catalogue.news import as_in
from llamactl.catalogue.verify import verify
from llamactl.core.model import Model

from .models import language_model, projector


def taken_in(path: Path) -> Model:
    [file] = examine(path).files
    return as_in(file, Model(name=file.name, path=file.path, size=file.size))


def outcome(model: Model, *, deep: bool = False) -> dict[str, bool | None]:
    return {finding.check: finding.ok for finding in verify(model, deep=deep)}


def test_a_sound_model(tmp_path: Path) -> None:
    model = taken_in(language_model(tmp_path / "a.gguf"))
    assert outcome(model) == {"files": True, "size": True, "header": True, "fingerprint": True}
    assert outcome(msgspec.structs.replace(model, fingerprint=""))["fingerprint"] is None


def test_one_that_is_another_by_now(tmp_path: Path) -> None:
    path = language_model(tmp_path / "a.gguf", size=1000)
    model = taken_in(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert outcome(model) == {"files": True, "size": True, "header": True, "fingerprint": False}
    path.write_bytes(content[:100])
    assert outcome(model) == {"files": True, "size": False, "header": False}


def test_a_part_or_a_projector_that_is_gone(tmp_path: Path) -> None:
    parts = [language_model(tmp_path / f"a-0000{number}-of-00002.gguf") for number in (1, 2)]
    other = projector(tmp_path / "mmproj.gguf")
    model = taken_in(parts[0])
    assert outcome(model)["mmproj"] is True
    other.unlink()
    assert outcome(model)["mmproj"] is False
    parts[1].unlink()
    [finding] = verify(model, deep=True)
    assert finding == ("files", False, "of part 2 of 2: it does not exist")


@pytest.mark.parametrize("before", ["", "sha256-"])
def test_the_checksum_where_the_name_is_one(tmp_path: Path, before: str) -> None:
    content = language_model(tmp_path / "x").read_bytes()
    blob = tmp_path / "blobs" / (before + hashlib.sha256(content).hexdigest())
    blob.parent.mkdir()
    blob.write_bytes(content)
    link = tmp_path / "a.gguf"
    link.symlink_to(blob)
    model = taken_in(link)
    assert "checksum" not in outcome(model)
    assert outcome(model, deep=True)["checksum"] is True
    blob.write_bytes(content + b"x")
    assert outcome(model, deep=True)["checksum"] is False
    assert outcome(taken_in(tmp_path / "x"), deep=True)["checksum"] is None
