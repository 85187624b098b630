"""What is found in directories."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamactl.catalogue import Catalogue, File, Patterns, examine, walk
from llamactl.catalogue.gguf import NotUsable
from llamactl.core.model import Model
from llamactl.store import Database

from .files import SIZE, gguf
from .models import language_model, projector
from .mutations import cut, flipped


def found(*directories: Path) -> dict[str, int]:
    """Size by path, of a walk that met nothing unusable."""
    result = walk(directories)
    assert result.unusable == ()
    return {file.path: file.size for file in result.files}


def one(path: Path, *known: Model) -> File:
    return examine(path, known).files[0]


def unusable(directory: Path) -> dict[str, str]:
    return {Path(one.path).name: one.reason for one in walk([directory]).unusable}


# --- which files ---------------------------------------------------------------------------------


def test_models_are_found_at_any_depth_and_called_after_their_files(tmp_path: Path) -> None:
    gguf(tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf")
    gguf(tmp_path / "a" / "b" / "Qwen3 8B.GGUF", 200)
    gguf(tmp_path / "a" / "readme.txt")
    assert [(file.path, file.size, file.name) for file in walk([tmp_path]).files] == [
        (str(tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf"), SIZE, "smollm2-135m-instruct-q4_1"),
        (str(tmp_path / "a" / "b" / "Qwen3 8B.GGUF"), 200, "qwen3-8b"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.gguf",
        ".hidden/a.gguf",
        "a.gguf.part",
        "a.part.gguf",
        "a.gguf.incomplete",
        "a.gguf.crdownload",
        "a.tmp.gguf",
        "gguf",
        ".gguf",
        "mmproj-model-f16.gguf",
        "gemma-3-4b-it.mmproj-Q8_0.gguf",
        "Model_MMPROJ.gguf",
    ],
)
def test_hidden_unfinished_and_other_files_are_passed_over(tmp_path: Path, name: str) -> None:
    gguf(tmp_path / name)
    assert found(tmp_path) == {}


def test_a_download_of_aria2_under_way_is_passed_over(tmp_path: Path) -> None:
    gguf(tmp_path / "a.gguf")
    (tmp_path / "a.gguf.aria2").touch()
    assert found(tmp_path) == {}


def test_a_hidden_directory_that_is_asked_for_is_looked_into(tmp_path: Path) -> None:
    path = gguf(tmp_path / ".cache" / "a.gguf")
    assert found(tmp_path / ".cache") == {str(path): SIZE}


def test_what_is_no_model_is_told_of_and_the_others_are_found(tmp_path: Path) -> None:
    gguf(tmp_path / "a.gguf", 0)
    gguf(tmp_path / "b.gguf", 10)
    gguf(tmp_path / "c.gguf")
    os.mkfifo(tmp_path / "d.gguf")
    (tmp_path / "e.gguf").symlink_to("nowhere")
    assert unusable(tmp_path) == {
        "a.gguf": "it is empty",
        "b.gguf": "it is truncated (10 bytes)",
        "d.gguf": "it is not a regular file",
        "e.gguf": "it points to a file that does not exist",
    }
    assert [file.name for file in walk([tmp_path]).files] == ["c"]


def test_a_directory_that_is_none_is_told_of(tmp_path: Path) -> None:
    gguf(tmp_path / "a.gguf")
    result = walk([tmp_path / "missing", tmp_path / "a.gguf", "relative", tmp_path, str(tmp_path / "x\0")])
    assert [file.name for file in result.files] == ["a"]
    assert sorted(one.reason for one in result.unusable) == [
        "it cannot be read (Not a directory)",
        "it does not exist",
        "its path is not absolute",
        "no path has a NUL in it",
    ]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read any directory")
def test_a_directory_that_may_not_be_read_is_told_of(tmp_path: Path) -> None:
    gguf(tmp_path / "a" / "a.gguf")
    (tmp_path / "a").chmod(0)
    assert unusable(tmp_path) == {"a": "it cannot be read (Permission denied)"}
    (tmp_path / "a").chmod(0o700)


def test_a_name_that_is_no_text_is_told_of_in_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.gguf"))
    gguf(path)
    (bad,) = walk([tmp_path]).unusable
    assert bad.reason == "its path is not valid UTF-8"
    assert bad.path.endswith("/caf\ufffd.gguf")
    with pytest.raises(NotUsable) as caught:
        examine(path)
    caught.value.message.encode()


# --- links ---------------------------------------------------------------------------------------


def test_links_are_followed_and_keep_their_names(tmp_path: Path) -> None:
    blob = gguf(tmp_path / "blobs" / "0123abcd")
    link = tmp_path / "snapshots" / "main" / "model.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    assert found(tmp_path) == {str(link): SIZE}


def test_one_file_by_many_ways_is_one_model(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a" / "a.gguf")
    (tmp_path / "a" / "b.gguf").symlink_to("a.gguf")
    os.link(path, tmp_path / "a" / "c.gguf")
    (tmp_path / "d").symlink_to("a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to("self")
    assert len(found(tmp_path, tmp_path / "a", tmp_path, tmp_path / "d")) == 1


def test_a_known_file_comes_under_the_path_it_is_known_by(tmp_path: Path) -> None:
    path = gguf(tmp_path / "z" / "z.gguf")
    (tmp_path / "a.gguf").symlink_to(path)
    known = Model(name="z", path=str(path), size=1)
    assert [file.path for file in walk([tmp_path], [known]).files] == [str(path)]
    assert one(tmp_path / "a.gguf", known).path == str(path)
    assert one(tmp_path / "a.gguf").path == str(tmp_path / "a.gguf")


def test_known_models_without_a_file_are_missing(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf")
    known = [
        Model(name=name, path=str(path), size=1)
        for name, path in {"a": path, "b": tmp_path / "b", "c": path / "c", "d": tmp_path / ("d" * 300)}.items()
    ]
    assert walk([], known).missing == {str(tmp_path / "b"), str(path / "c")}


def test_a_cache_of_hugging_face_is_understood(tmp_path: Path) -> None:
    hub = tmp_path / "models--org--Qwen3-8B-GGUF"
    names = ["Qwen3-8B-Q4_K_M.gguf", "mmproj-F16.gguf"]
    blobs = [language_model(hub / "blobs" / ("a" * 64)), projector(hub / "blobs" / ("b" * 64))]
    gguf(hub / "blobs" / f"{'c' * 64}.incomplete")
    for revision in ("1111", "2222"):
        for name, blob in zip(names, blobs, strict=True):
            link = hub / "snapshots" / revision / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"../../blobs/{blob.name}")
    result = walk([tmp_path])
    [file] = result.files
    assert (file.path, file.name, result.unusable) == (
        str(hub / "snapshots" / "1111" / names[0]), "qwen3-8b-q4_k_m", ()
    )  # fmt: skip
    assert file.projector is not None and file.projector.path == str(hub / "snapshots" / "1111" / names[1])


# --- which are wanted ----------------------------------------------------------------------------


def test_a_bin_is_a_model_if_it_says_so(tmp_path: Path) -> None:
    gguf(tmp_path / "a.bin")
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\3\4" + bytes(96))
    (tmp_path / "ggml-model-q4_0.bin").write_bytes(b"tjgg" + bytes(96))
    os.mkfifo(tmp_path / "pipe.bin")
    result = walk([tmp_path])
    assert [file.name for file in result.files] == ["a"]
    [old] = result.unusable
    assert Path(old.path).name == "ggml-model-q4_0.bin" and "old GGJT format" in old.reason


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ((), (), {"a-q4", "a-q8", "old/b-q4", "old/er/c-q4"}),
        ((), ("*-q8*",), {"a-q4", "old/b-q4", "old/er/c-q4"}),
        ((), ("old",), {"a-q4", "a-q8"}),
        ((), ("old/er",), {"a-q4", "a-q8", "old/b-q4"}),
        (("*q4*",), ("er",), {"a-q4", "old/b-q4"}),
        (("old/*",), (), {"old/b-q4", "old/er/c-q4"}),
        (("A-*",), (), set()),
    ],
)
def test_patterns(tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: set[str]) -> None:
    for name in ("a-q4", "a-q8", "old/b-q4", "old/er/c-q4"):
        gguf(tmp_path / f"{name}.gguf")
    result = walk([tmp_path], patterns=Patterns(include, exclude))
    assert {str(Path(file.path).relative_to(tmp_path))[:-5] for file in result.files} == expected


def test_what_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf")
    result = walk([tmp_path], quiet=1000)
    assert (result.files, result.unusable, result.unsettled) == ((), (), (str(path),))
    os.utime(path, (1, 1))
    assert len(walk([tmp_path], quiet=1000).files) == 1
    os.utime(path, (1, 1 << 32))  # its clock is ahead of ours
    assert len(walk([tmp_path], quiet=1000).files) == 1


def test_a_walk_can_be_ended(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def enough() -> None:
        raise Enough

    gguf(tmp_path / "a.gguf")
    with pytest.raises(Enough):
        walk([tmp_path], go_on=enough)


# --- split files ---------------------------------------------------------------------------------


def part(directory: Path, number: int, total: int, size: int = SIZE) -> Path:
    return gguf(directory / f"Big.Q8_0-{number:05}-of-{total:05}.gguf", size)


def test_the_parts_of_a_model_are_one(tmp_path: Path) -> None:
    parts = [part(tmp_path, number, 3, 100 + number) for number in (1, 2, 3)]
    [model] = walk([tmp_path]).files
    assert (model.path, model.size, model.name) == (str(parts[0]), 306, "big-q8_0")
    assert [one(path) for path in parts] == [model] * 3


def test_parts_that_are_links_are_summed_where_they_point(tmp_path: Path) -> None:
    for number in (1, 2):
        blob = gguf(tmp_path / "blobs" / str(number))
        (tmp_path / f"m-{number:05}-of-00002.gguf").symlink_to(blob)
    assert found(tmp_path) == {str(tmp_path / "m-00001-of-00002.gguf"): 2 * SIZE}


@pytest.mark.parametrize("absent", [1, 2, 3])
def test_a_part_that_is_missing_is_named(tmp_path: Path, absent: int) -> None:
    for number in {1, 2, 3} - {absent}:
        part(tmp_path, number, 3)
    assert unusable(tmp_path) == {"Big.Q8_0-00001-of-00003.gguf": f"of part {absent} of 3: it does not exist"}


def test_a_part_that_is_broken_is_named(tmp_path: Path) -> None:
    part(tmp_path, 1, 2)
    part(tmp_path, 2, 2, 20)
    assert unusable(tmp_path) == {"Big.Q8_0-00001-of-00002.gguf": "of part 2 of 2: it is truncated (20 bytes)"}


def test_numbers_that_cannot_be_parts_are_names(tmp_path: Path) -> None:
    part(tmp_path, 3, 2)
    part(tmp_path, 0, 2)
    assert [file.name for file in walk([tmp_path]).files] == ["big-q8_0-00000-of-00002", "big-q8_0-00003-of-00002"]


# --- one file ------------------------------------------------------------------------------------


def test_one_file_may_be_called_anything(tmp_path: Path) -> None:
    path = gguf(tmp_path / "sha256-0123")
    assert (one(path).path, one(path).size, one(path).name) == (str(path), SIZE, "sha256-0123")


def test_one_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotUsable, match="it is a directory") as caught:
        examine(tmp_path)
    assert caught.value.hint == f"llamactl models scan {tmp_path}"
    with pytest.raises(NotUsable, match="projector"):
        examine(gguf(tmp_path / "mmproj-x.gguf"))
    with pytest.raises(NotUsable, match="not absolute"):
        examine("x.gguf")


# --- any contents --------------------------------------------------------------------------------


def test_every_changed_file_is_a_model_or_a_reason(tmp_path: Path) -> None:
    """And whatever a file says can be stored, and read again."""
    contents = [*cut(), *flipped()]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.gguf").write_bytes(content)
    result = walk([tmp_path])
    told = {Path(file.path).name for file in result.files} | {Path(one.path).name for one in result.unusable}
    assert len(contents) > 200 and told == {f"{number}.gguf" for number in range(len(contents))}
    assert all(one.reason for one in result.unusable) and len(result.unusable) > 200
    with Database(tmp_path / "db") as db:
        catalogue = Catalogue(db.models, lambda event: None)
        assert len(catalogue.apply(result).added) == len(result.files)
        assert Catalogue(db.models, lambda event: None).models() == catalogue.models()


# --- any tree ------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", ".c", "d.gguf", "E.GGUF", "x-00001-of-00002.gguf", "x-00002-of-00002.gguf"])
PLACES = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/".join(names))
STEPS = st.tuples(st.sampled_from(["model", "broken", "link"]), PLACES, PLACES)


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, max_size=12))
def test_a_walk_of_any_tree_ends_and_finds_each_file_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    top = tmp_path_factory.mktemp("tree")
    for what, place, target in steps:
        path = top / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if what == "link":
                path.symlink_to(top / target)
            elif not path.is_symlink():
                gguf(path, SIZE if what == "model" else 7)
        except OSError:
            continue  # a file is in the way, or a link leads round
    result = walk([top])
    paths = [Path(file.path) for file in result.files]
    assert len({path.resolve() for path in paths}) == len(paths)
    assert not {str(path) for path in paths} & {one.path for one in result.unusable}
    plain = [path for path in top.rglob("[dE].*") if path.suffix.lower() == ".gguf" and path.is_file()]
    seen = [path for path in plain if not any(name.startswith(".") for name in path.relative_to(top).parts)]
    sound = {path.resolve() for path in seen if path.stat().st_size == SIZE}
    assert sound <= {path.resolve() for path in paths}
    assert walk([top]) == result
