"""Names, and what changes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llamactl.catalogue import Catalogue, examine_all, walk
from llamactl.catalogue.gguf import NotUsable
from llamactl.core.errors import BadRequest, NotFound, Refused
from llamactl.core.events import CatalogueChanged
from llamactl.core.facts import Facts
from llamactl.core.model import Model
from llamactl.store import Database, StoreFailed

from .files import SIZE, gguf


class Desk:
    """A catalogue, its store, and what it told; when told, what is told is stored."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.told: list[CatalogueChanged] = []
        self.catalogue = Catalogue(db.models, self._publish)

    def _publish(self, event: CatalogueChanged) -> None:
        stored = self.db.models.all()
        assert stored == self.catalogue.models()
        names = {model.name for model in stored}
        assert names >= {*event.added, *event.changed} and not names & {*event.removed}
        self.told.append(event)

    def again(self) -> list[Model]:
        """The models after a restart."""
        return Catalogue(self.db.models, self._publish).models()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Database(tmp_path / "llamactl.db") as db:
        yield Desk(db)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


# --- resolving -----------------------------------------------------------------------------------


def test_a_name_or_an_alias_finds_the_model(desk: Desk) -> None:
    model = Model(name="a", path="/a", size=1, aliases=("b", "c"))
    desk.db.models.put(model)
    catalogue = Catalogue(desk.db.models, desk.told.append)
    assert [catalogue.resolve(name) for name in "abc"] == [model] * 3


def test_an_unknown_name_gets_near_ones(desk: Desk, models: Path) -> None:
    for name in ("Qwen3-8B.Q4_K_M", "llama-3.2-3b", "gemma"):
        desk.catalogue.add(gguf(models / f"{name}.gguf"))
    with pytest.raises(NotFound) as caught:
        desk.catalogue.resolve("Qwen3-8B-Q4KM")
    assert caught.value.hint == "did you mean qwen3-8b-q4_k_m? llamactl models ls"
    for name in ("zzz", "", "q" * 1_000_000, "\0", "\ud800"):
        with pytest.raises(NotFound) as caught:
            desk.catalogue.resolve(name)
        assert caught.value.hint == "llamactl models ls" and len(caught.value.message) < 200


# --- adding --------------------------------------------------------------------------------------


def test_a_model_is_added_under_the_name_of_its_file(desk: Desk, models: Path) -> None:
    path = gguf(models / "SmolLM2.Q4_1.gguf")
    model = desk.catalogue.add(path)
    assert (model.name, model.path, model.size, model.facts) == ("smollm2-q4_1", str(path), SIZE, Facts())
    assert desk.catalogue.resolve("smollm2-q4_1") == model
    assert desk.again() == [model]
    assert desk.told == [CatalogueChanged(added=("smollm2-q4_1",))]


def test_adding_it_again_changes_nothing(desk: Desk, models: Path) -> None:
    path = gguf(models / "a.gguf")
    (models / "link.gguf").symlink_to(path)
    model = desk.catalogue.add(path)
    assert (
        desk.catalogue.add(path) is desk.catalogue.add(path, "a") is desk.catalogue.add(models / "link.gguf") is model
    )
    assert len(desk.told) == 1


def test_a_file_may_have_two_names(desk: Desk, models: Path) -> None:
    path = gguf(models / "a.gguf")
    desk.catalogue.add(path)
    desk.catalogue.add(path, "org/a:fast")
    assert [model.name for model in desk.catalogue.models()] == ["a", "org/a:fast"]
    assert desk.catalogue.add(path).name == "a"


def test_a_name_that_is_taken_gets_a_number(desk: Desk, models: Path) -> None:
    desk.db.models.put(Model(name="z", path="/z", size=1, aliases=("a-2",)))
    catalogue = Catalogue(desk.db.models, desk.told.append)
    names = [catalogue.add(gguf(models / str(n) / "a.gguf")).name for n in range(3)]
    assert names == ["a", "a-3", "a-4"]
    long = [catalogue.add(gguf(models / str(n) / ("x" * 250))).name for n in range(2)]
    assert long == ["x" * 250, "x" * 250 + "-2"]


def test_a_name_of_another_file_is_refused(desk: Desk, models: Path) -> None:
    desk.db.models.put(Model(name="z", path="/z", size=1, aliases=("y",)))
    catalogue = Catalogue(desk.db.models, desk.told.append)
    path = gguf(models / "a.gguf")
    with pytest.raises(Refused, match="z is already the name of /z"):
        catalogue.add(path, "z")
    with pytest.raises(Refused, match="y is an alias of z"):
        catalogue.add(path, "y")
    with pytest.raises(BadRequest, match="not a model name"):
        catalogue.add(path, "no good")
    assert desk.told == []


def test_several_are_added_in_one_step(desk: Desk, models: Path) -> None:
    """An unnamed file leaves a name to the one that asks for it; two links of one file are one model."""
    paths = [gguf(models / name / "a.gguf") for name in "xy"]
    link = models / "link.gguf"
    link.symlink_to(paths[0])
    added = desk.catalogue.admit(examine_all([*paths, link]), [None, "a", None])
    assert [(model.name, model.path) for model in added] == [
        ("a-2", str(paths[0])), ("a", str(paths[1])), ("a-2", str(paths[0]))
    ]  # fmt: skip
    assert desk.told == [CatalogueChanged(added=("a", "a-2"))] and len(desk.again()) == 2


def test_one_that_cannot_be_added_keeps_all_out(desk: Desk, models: Path) -> None:
    desk.catalogue.add(gguf(models / "z.gguf"))
    before, told = desk.again(), list(desk.told)
    paths = [gguf(models / "a.gguf"), gguf(models / "b.gguf")]
    for names in (["a", "z"], ["a", "no good"], ["a", "a"], [None, "z"]):
        with pytest.raises((Refused, BadRequest)):
            desk.catalogue.admit(examine_all(paths, desk.catalogue.models()), names)
    with pytest.raises(NotUsable, match=r"c\.gguf"):
        examine_all([*paths, gguf(models / "c.gguf", 0)])
    assert (desk.catalogue.models(), desk.again(), desk.told) == (before, before, told)


def test_a_file_of_another_size_is_noted(desk: Desk, models: Path) -> None:
    desk.catalogue.add(gguf(models / "a.gguf"))
    assert desk.catalogue.add(gguf(models / "a.gguf", 300)).size == 300
    assert desk.told[1:] == [CatalogueChanged(changed=("a",))]


def test_what_is_no_model_is_refused(desk: Desk, models: Path) -> None:
    with pytest.raises(NotUsable, match="is not usable because it is empty"):
        desk.catalogue.add(gguf(models / "a.gguf", 0))
    assert desk.again() == []


# --- scanning ------------------------------------------------------------------------------------


def test_a_scan_tells_what_is_new_changed_missing_and_known(desk: Desk, models: Path) -> None:
    for name in "abc":
        gguf(models / f"{name}.gguf")
    report = desk.catalogue.scan([models])
    assert (report.added, report.known) == (("a", "b", "c"), 0)
    assert desk.told == [CatalogueChanged(added=("a", "b", "c"))]
    gguf(models / "b.gguf", 200)
    (models / "c.gguf").unlink()
    gguf(models / "d.gguf")
    gguf(models / "e.gguf", 3)
    report = desk.catalogue.scan([models])
    assert (report.added, report.changed, report.missing, report.known) == (("d",), ("b",), ("c",), 1)
    assert [one.reason for one in report.unusable] == ["it is truncated (3 bytes)"]
    assert desk.told[1:] == [CatalogueChanged(added=("d",), changed=("b",), missing=("c",))]
    assert {model.name: model.size for model in desk.again()} == {"a": SIZE, "b": 200, "c": SIZE, "d": SIZE}


def test_a_scan_that_finds_nothing_new_tells_nobody(desk: Desk, models: Path) -> None:
    gguf(models / "a.gguf")
    desk.catalogue.scan([models])
    assert desk.catalogue.scan([models]).known == 1
    assert len(desk.told) == 1


def test_models_of_one_scan_with_one_name_get_numbers(desk: Desk, models: Path) -> None:
    for directory in "xyz":
        gguf(models / directory / "a.gguf")
    assert desk.catalogue.scan([models]).added == ("a", "a-2", "a-3")


def test_what_changed_while_the_walk_was_under_way_is_respected(desk: Desk, models: Path) -> None:
    path = gguf(models / "a.gguf")
    found = walk([models], desk.catalogue.models())
    desk.catalogue.add(path, "mine")
    assert desk.catalogue.apply(found).known == 1
    gone = walk([], [Model(name="gone", path="/gone", size=1)])
    assert desk.catalogue.apply(gone).missing == ()


# --- names ---------------------------------------------------------------------------------------


def test_removing_leaves_the_file(desk: Desk, models: Path) -> None:
    path = gguf(models / "a.gguf")
    model = desk.catalogue.add(path)
    assert desk.catalogue.remove("a") == model
    assert desk.told[1:] == [CatalogueChanged(removed=("a",))]
    assert path.exists() and desk.again() == []
    with pytest.raises(NotFound):
        desk.catalogue.remove("a")


def test_renaming_keeps_everything_else(desk: Desk) -> None:
    desk.db.models.put(
        Model(name="a", path="/a", size=1, aliases=("b", "c"), settings={"threads": 2}),
        Model(name="x", path="/x", size=1, aliases=("y",)),
    )
    desk.catalogue = Catalogue(desk.db.models, desk._publish)
    renamed = desk.catalogue.rename("b", "c")
    assert renamed == Model(name="c", path="/a", size=1, aliases=("b",), settings={"threads": 2})
    assert desk.catalogue.rename("c", "c") == renamed
    assert desk.told == [CatalogueChanged(added=("c",), removed=("a",))]
    assert desk.catalogue.resolve("b") == desk.again()[0] == renamed
    for taken in ("x", "y"):
        with pytest.raises(Refused, match=taken):
            desk.catalogue.rename("c", taken)
    for unknown in ("a", "zzz"):
        with pytest.raises(NotFound):
            desk.catalogue.rename(unknown, "d")
    with pytest.raises(BadRequest):
        desk.catalogue.rename("c", "no good")
    desk.catalogue.remove("c")
    for gone in ("b", "c"):
        with pytest.raises(NotFound):
            desk.catalogue.resolve(gone)


# --- a store that fails --------------------------------------------------------------------------


def test_what_cannot_be_stored_has_not_happened(desk: Desk, models: Path) -> None:
    desk.catalogue.add(gguf(models / "a.gguf"))
    before, told = desk.catalogue.models(), list(desk.told)
    path = gguf(models / "b.gguf")
    desk.db._db.pragma("query_only", 1)
    with pytest.raises(StoreFailed):
        desk.catalogue.add(path)
    with pytest.raises(StoreFailed):
        desk.catalogue.scan([models])
    with pytest.raises(StoreFailed):
        desk.catalogue.remove("a")
    with pytest.raises(StoreFailed):
        desk.catalogue.rename("a", "c")
    assert (desk.catalogue.models(), desk.told) == (before, told)
    desk.db._db.pragma("query_only", 0)
    desk.catalogue.add(path)
