"""Looks for models in directories. All of it blocks on the disk: run it in a worker thread.

It takes values and gives values; what it found becomes part of the catalogue in the thread that owns that,
see `Catalogue.apply` and `Catalogue.admit`.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from llamactl.catalogue.gguf import NotUsable, check, printable, regular, unreadable
from llamactl.core.model import Model, Unusable, name_from_file

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE | re.DOTALL)
_PROJECTOR = re.compile(r"(?:^|[-_.])mmproj(?:[-_.]|$)", re.IGNORECASE)

Identity = tuple[int, int]
"""Device and inode: the same for each path of one file."""


class File(msgspec.Struct, frozen=True):
    """A model on disk: `path` is the first of its files, absolute, `size` the bytes of all of them.

    `name` is what to call it. A file that the catalogue knows by another path comes under that path.
    """

    path: str
    size: int
    name: str


class Found(msgspec.Struct, frozen=True):
    """What a walk found, and which paths of known models lead to nothing any more."""

    files: tuple[File, ...] = ()
    unusable: tuple[Unusable, ...] = ()
    missing: frozenset[str] = frozenset()


def examine(path: str | Path, known: Iterable[Model] = ()) -> File:
    """One model, given any of its files by an absolute path. Raises `NotUsable`."""
    path = Path(path)
    if _PROJECTOR.search(path.stem):
        raise NotUsable(path, "it is a projector (mmproj) that belongs to a model, not a model")
    identities, _ = _identify(known)
    return _look(_first_part(_absolute(path)), identities)[1]


def walk(directories: Iterable[str | Path], known: Iterable[Model] = ()) -> Found:
    """Every model in `directories` and below, each file once, and what became of the `known` ones.

    A model is a `*.gguf`, whatever its case; `name-00001-of-00005.gguf` and its like are one model. Hidden files
    and directories, unfinished downloads and projectors (`mmproj`) are passed over. Symbolic links are
    followed, no directory is entered twice. Nothing is raised for what is found: it is listed as unusable.
    """
    identities, missing = _identify(known)
    files: dict[Identity, File] = {}
    unusable: list[NotUsable] = []
    entered: set[Identity] = set()
    candidates = {_first_part(path) for top in directories for path in _candidates(Path(top), entered, unusable)}
    for path in sorted(candidates):
        try:
            identity, file = _look(path, identities)
            files.setdefault(identity, file)
        except NotUsable as error:
            unusable.append(error)
    return Found(
        files=tuple(sorted(files.values(), key=lambda file: file.path)),
        unusable=tuple(sorted((Unusable(printable(e.path), e.reason) for e in unusable), key=lambda one: one.path)),
        missing=missing,
    )


def _identify(known: Iterable[Model]) -> tuple[dict[Identity, str], frozenset[str]]:
    """The paths of known models by identity, and those that lead to nothing."""
    identities: dict[Identity, str] = {}
    missing = set()
    for path in sorted({model.path for model in known}):
        try:
            identities.setdefault(_identity(Path(path).stat()), path)
        except (FileNotFoundError, NotADirectoryError):
            missing.add(path)
        except OSError:
            continue  # it may be there: a disk that is away for a moment loses no model
    return identities, frozenset(missing)


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def _absolute(path: Path) -> Path:
    """`path` itself: the daemon's working directory is nobody else's, and links keep their telling names."""
    if not path.is_absolute():
        raise NotUsable(path, "its path is not absolute")
    if "\0" in str(path):
        raise NotUsable(path, "no path has a NUL in it")
    return path


def _candidates(top: Path, entered: set[Identity], unusable: list[NotUsable]) -> Iterator[Path]:
    """Files below `top` that are called like models."""
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            identity = _identity(_absolute(directory).stat())
            if identity in entered:
                continue
            entered.add(identity)
            with os.scandir(directory) as listing:
                entries = [entry for entry in listing if not entry.name.startswith(".")]
        except NotUsable as error:
            unusable.append(error)
            continue
        except OSError as error:
            unusable.append(unreadable(directory, error))
            continue
        names = {entry.name for entry in entries}
        for entry in sorted(entries, key=lambda entry: entry.name):
            if _is_directory(entry):
                pending.append(directory / entry.name)
            elif _is_called_like_a_model(entry.name) and f"{entry.name}.aria2" not in names:
                yield directory / entry.name


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself, say; as a file it will be told of


def _is_called_like_a_model(name: str) -> bool:
    """Downloads under way are called otherwise (`x.gguf.part`), but for those of aria2, which keeps a file beside."""
    stem, dot, suffix = name.rpartition(".")
    return bool(dot) and suffix.lower() == "gguf" and not stem.endswith(".part") and not _PROJECTOR.search(stem)


def _split(path: Path) -> re.Match[str] | None:
    """Stem, number, total and suffix of a part of a split model; None for any other file."""
    match = _PART.fullmatch(path.name)
    return match if match and 1 <= int(match["number"]) <= int(match["total"]) else None


def _part(path: Path, split: re.Match[str], number: int) -> Path:
    return path.with_name(f"{split['stem']}-{number:05}-of-{split['total']}{split['suffix']}")


def _first_part(path: Path) -> Path:
    split = _split(path)
    return path if split is None else _part(path, split, 1)


def _look(path: Path, identities: dict[Identity, str]) -> tuple[Identity, File]:
    """The model whose first file is `path`. Raises `NotUsable`, which names that one."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise NotUsable(path, "its path is not valid UTF-8") from None
    split = _split(path)
    size = 0
    for number in range(1, 2 if split is None else int(split["total"]) + 1):
        part = path if split is None else _part(path, split, number)
        try:
            check(part)
            size += regular(part).st_size
        except NotUsable as error:
            which = "" if split is None else f"of part {number} of {int(split['total'])}: "
            raise NotUsable(path, which + error.reason, error.hint) from None
    identity = _identity(regular(path))
    name = name_from_file(path.stem if split is None else split["stem"])
    return identity, File(path=identities.get(identity, str(path)), size=size, name=name)
