"""Which files below a directory are called like models: judged by their names, `*.bin` by its first four bytes too."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from llamactl.catalogue import gguf
from llamactl.catalogue.gguf import NotUsable, unreadable

Identity = tuple[int, int]
"""Device and inode: the same for each path of one file."""

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<suffix>\.[^.]+)", re.IGNORECASE | re.DOTALL)
_SUFFIXES = (".gguf", ".bin")
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".download", ".incomplete", ".crdownload", ".aria2", ".opdownload")
"""Endings that programs give to what they are still fetching."""


class Patterns(msgspec.Struct, frozen=True):
    """Which paths count, as globs for the name or for the path below the directory that is looked through.

    Without any of `include` all do, but for those of `exclude`; a directory that is excluded is not entered.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def want(self, path: Path, top: Path) -> bool:
        return not self.refuse(path, top) and (not self.include or _matches(path, top, self.include))

    def refuse(self, path: Path, top: Path) -> bool:
        return _matches(path, top, self.exclude)


def _matches(path: Path, top: Path, patterns: Iterable[str]) -> bool:
    below = str(path.relative_to(top)) if patterns else ""
    return any(fnmatchcase(below, pattern) or fnmatchcase(path.name, pattern) for pattern in patterns)


def candidates(
    directories: Iterable[str | Path],
    unusable: list[NotUsable],
    patterns: Patterns = Patterns(),
    enter: Callable[[Path], object] = lambda directory: None,
    *,
    deep: bool = True,
) -> Iterator[Path]:
    """Files below `directories` that are called like models; of a split model its first part, whether there or not.

    Hidden files and directories and unfinished downloads are passed over. Symbolic links are followed, no directory is
    entered twice. `enter` is called with each directory before it is listed. Directories that cannot be are added to
    `unusable`. Unless it is to go `deep`, no directory below is looked into.
    """
    entered: set[Identity] = set()
    found: set[Path] = set()
    for top in map(Path, directories):
        for path in _below(top, entered, unusable, patterns, enter, deep):
            first = first_part(path)
            if first not in found:
                found.add(first)
                yield first


def is_directory(path: "Path | os.DirEntry[str]") -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # a link to itself, say; as a file it will be told of


def called_like_a_model(name: str) -> bool:
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122 (a name, not a path)
    return suffix in _SUFFIXES and not name.startswith(".") and not stem.endswith(_UNFINISHED)


def of_interest(name: str) -> bool:
    """Could the coming or going of a file of that name change what there is?"""
    stem = name.lower()
    return not name.startswith(".") and (stem.endswith(_UNFINISHED) or called_like_a_model(name))


def parts(path: Path) -> list[Path]:
    """All the files of the model whose first file is `path`."""
    split = _split(path)
    return [path] if split is None else [_part(path, split, number + 1) for number in range(int(split["total"]))]


def first_part(path: Path) -> Path:
    split = _split(path)
    return path if split is None else _part(path, split, 1)


def stem(path: Path) -> str:
    """The name of the model in that file, before it is made a good one."""
    split = _split(path)
    return path.stem if split is None else split["stem"]


def absolute(path: Path) -> Path:
    """`path` itself: the daemon's working directory is nobody else's, and links keep their telling names."""
    if not path.is_absolute():
        raise NotUsable(path, "its path is not absolute")
    if "\0" in str(path):
        raise NotUsable(path, "no path has a NUL in it")
    return path


def _below(
    top: Path,
    entered: set[Identity],
    unusable: list[NotUsable],
    patterns: Patterns,
    enter: Callable[[Path], object],
    deep: bool,
) -> Iterator[Path]:
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            status = absolute(directory).stat()
            if (identity := (status.st_dev, status.st_ino)) in entered:
                continue
            entered.add(identity)
            enter(directory)
            with os.scandir(directory) as listing:
                entries = sorted((entry for entry in listing if entry.name[0] != "."), key=lambda entry: entry.name)
        except NotUsable as error:
            unusable.append(error)
            continue
        except OSError as error:
            unusable.append(unreadable(directory, error))
            continue
        names = {entry.name for entry in entries}
        for entry in entries:
            path = directory / entry.name
            if is_directory(entry):
                if deep and not patterns.refuse(path, top):
                    pending.append(path)
            elif _is_candidate(path, names) and patterns.want(path, top):
                yield path


def _is_candidate(path: Path, names: set[str]) -> bool:
    """Some downloads have their last name from the start, with a file beside for as long as they last."""
    if not called_like_a_model(path.name) or any(path.name + ending in names for ending in _UNFINISHED):
        return False
    return path.suffix.lower() != ".bin" or gguf.has_magic(path)


def _split(path: Path) -> re.Match[str] | None:
    """Stem, number, total and suffix of a part of a split model; None for any other file."""
    match = _PART.fullmatch(path.name)
    return match if match and 1 <= int(match["number"]) <= int(match["total"]) else None


def _part(path: Path, split: re.Match[str], number: int) -> Path:
    return path.with_name(f"{split['stem']}-{number:05}-of-{split['total']}{split['suffix']}")
