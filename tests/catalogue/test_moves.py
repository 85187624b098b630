"""Models whose files move, change, go and come back."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from llamactl.catalogue import gguf as reader
from llamactl.catalogue import walk
from llamactl.core.errors import BadRequest, NotFound, Refused
from llamactl.core.events import CatalogueChanged
from llamactl.core.facts import Facts
from llamactl.core.model import Told

from .models import language_model, projector
from .test_catalogue import Desk, desk, models

__all__ = ["desk", "models"]


def test_a_moved_file_keeps_name_settings_and_aliases(desk: Desk, models: Path) -> None:
    path = language_model(models / "a" / "first.gguf")
    desk.catalogue.scan([models])
    old = desk.catalogue.rename("first", "mine")
    desk.catalogue.alias("mine", ["m"], [])
    desk.catalogue.change(msgspec.structs.replace(desk.catalogue.resolve("mine"), settings={"threads": 2}))
    desk.catalogue.clone("mine", "copy")
    new = models / "b" / "second.gguf"
    new.parent.mkdir()
    path.rename(new)
    report = desk.catalogue.scan([models])
    assert (report.moved, report.added, report.missing) == (("copy", "mine"), (), ())
    model = desk.catalogue.resolve("m")
    assert (model.name, model.path, model.settings) == ("mine", str(new), {"threads": 2})
    assert model.fingerprint == old.fingerprint
    assert desk.told[-1] == CatalogueChanged(changed=("copy", "mine"))
    assert desk.catalogue.scan([models]).known == 2


def test_a_copy_is_another_model_as_long_as_both_are_there(desk: Desk, models: Path) -> None:
    path = language_model(models / "a.gguf")
    desk.catalogue.scan([models])
    shutil.copy(path, models / "b.gguf")
    report = desk.catalogue.scan([models])
    assert (report.added, report.moved) == (("b",), ())
    path.unlink()
    report = desk.catalogue.scan([models])
    assert (report.missing, report.moved) == (("a",), ())


def test_another_file_of_that_size_is_not_the_one_that_is_gone(desk: Desk, models: Path) -> None:
    path = language_model(models / "aa.gguf")
    desk.catalogue.scan([models])
    path.unlink()
    assert language_model(models / "bb.gguf").stat().st_size == desk.catalogue.resolve("aa").size
    report = desk.catalogue.scan([models])
    assert (report.added, report.missing, report.moved) == (("bb",), ("aa",), ())


def test_the_file_of_the_same_name_is_the_one_that_moved(desk: Desk, models: Path) -> None:
    for name in ("x", "y"):
        language_model(models / f"{name}.gguf", general__name=b"\x08\0\0\0\1\0\0\0\0\0\0\0z")
    desk.catalogue.scan([models])
    (models / "sub").mkdir()
    for name in ("x", "y"):
        (models / f"{name}.gguf").rename(models / "sub" / f"{name}.gguf")
    assert desk.catalogue.scan([models]).moved == ("x", "y")
    assert desk.catalogue.resolve("y").path == str(models / "sub" / "y.gguf")


def test_a_missing_model_is_told_of_once_and_when_it_is_back(desk: Desk, models: Path) -> None:
    path = language_model(models / "a.gguf")
    model = desk.catalogue.add(path)
    content = path.read_bytes()
    path.unlink()
    for _ in range(2):
        assert desk.catalogue.scan([models]).missing == ("a",)
    assert desk.told[1:] == [CatalogueChanged(missing=("a",))]
    assert desk.catalogue.is_missing(model)
    path.write_bytes(content)
    assert desk.catalogue.scan([models]).known == 1
    assert desk.told[2:] == [CatalogueChanged(changed=("a",))]
    assert not desk.catalogue.is_missing(model)


def test_a_moved_file_that_is_added_is_the_model_that_it_was(desk: Desk, models: Path) -> None:
    path = language_model(models / "a.gguf")
    desk.catalogue.rename(desk.catalogue.add(path).name, "mine")
    path.rename(models / "b.gguf")
    assert desk.catalogue.add(models / "b.gguf").name == "mine"
    assert [model.name for model in desk.again()] == ["mine"]


def test_what_lies_unchanged_is_not_read_again(desk: Desk, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [language_model(models / f"{name}.gguf") for name in "ab"]
    projector(models / "mmproj-a.gguf")
    (models / "broken.gguf").write_bytes(b"GGUF")
    desk.catalogue.scan([models])
    read: list[Path] = []
    real = reader.read_all

    def noted(paths: Sequence[Path]) -> Facts:
        read.extend(paths)
        return real(paths)

    monkeypatch.setattr(reader, "read_all", noted)
    report = desk.catalogue.scan([models])
    assert (report.known, len(report.unusable), read) == (2, 1, [])
    os.utime(files[0])
    report = desk.catalogue.scan([models])
    assert (report.known, report.changed, read) == (2, (), [files[0]])
    files[1].write_bytes(files[1].read_bytes() + b"more")
    report = desk.catalogue.scan([models])
    assert (report.known, report.changed, read[1:]) == (1, ("b",), [files[1]])
    read.clear()
    walk([models], desk.again())
    assert len(read) == 4, "without looks everything is read"


def test_what_a_server_told_completes_what_the_file_says_until_that_is_another(desk: Desk, models: Path) -> None:
    path = language_model(models / "a.gguf", tokens=5)
    desk.catalogue.add(path)
    told = Told(parameters=7, context_length=1, vocabulary=2, modalities=("image",), chat_template=True)
    desk.catalogue.learn("a", told)
    desk.catalogue.learn("a", told)
    desk.catalogue.learn("nobody", told)
    assert desk.told[1:] == [CatalogueChanged(changed=("a",))]
    [model] = desk.again()
    assert (model.known.parameters, model.known.context_length, model.known.vocabulary) == (7, 4096, 5)
    assert (model.known.modalities, model.known.chat_template) == (("text", "image"), False)
    language_model(path, tokens=6)
    desk.catalogue.scan([models])
    assert desk.catalogue.resolve("a").known.parameters is None


def test_a_projector_that_comes_or_goes_changes_the_model(desk: Desk, models: Path) -> None:
    language_model(models / "a.gguf")
    desk.catalogue.scan([models])
    other = projector(models / "mmproj.gguf")
    assert desk.catalogue.scan([models]).changed == ("a",)
    [model] = desk.again()
    assert model.beside() == {"mmproj": str(other)} and model.known.modalities == ("text", "image")
    without = msgspec.structs.replace(model, settings={"mmproj_auto": False})
    assert without.known.modalities == ("text",)
    other.unlink()
    assert desk.catalogue.scan([models]).changed == ("a",)
    assert desk.catalogue.resolve("a").projector is None


def test_aliases_come_and_go(desk: Desk, models: Path) -> None:
    for name in "ab":
        desk.catalogue.add(language_model(models / f"{name}.gguf"))
    assert desk.catalogue.alias("a", ["x/y:1", "z", "z"], []).aliases == ("x/y:1", "z")
    assert desk.catalogue.alias("z", ["z"], ["x/y:1"]).aliases == ("z",)
    assert desk.catalogue.resolve("z").name == "a"
    for bad, error in (("a", Refused), ("b", Refused), ("no good", BadRequest)):
        with pytest.raises(error):
            desk.catalogue.alias("a", [bad], [])
    with pytest.raises(Refused, match="z is an alias of a"):
        desk.catalogue.alias("b", ["z"], [])
    for unknown in (("a", "q"), ("q", "z"), ("b", "z")):
        with pytest.raises(NotFound):
            desk.catalogue.alias(unknown[0], [], [unknown[1]])
    with pytest.raises(NotFound):
        desk.catalogue.resolve("x/y:1")
    assert [model.aliases for model in desk.again()] == [("z",), ()]
