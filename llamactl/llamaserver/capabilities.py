"""What a llama-server executable can do, by its own word: `--help` and `--version`."""

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import anyio
import msgspec

from llamactl.core.errors import Refused
from llamactl.llamaserver import output
from llamactl.llamaserver.environment import clean
from llamactl.llamaserver.locate import WAY_OUT, Engine
from llamactl.llamaserver.session import Session, lead

TIMEOUT = 10.0
"""Seconds for one answer. It takes 15 ms, half a second when the file must come from disk first, and
seconds where a GPU driver is initialised."""

LARGEST = 1024 * 1024
"""Bytes of an answer at most; `--help` has 56 KB."""

NEEDED = ("--model", "--host", "--port", "--ctx-size")
"""Flags by which a llama-server is known. Forks print version strings of their own."""

_DEFINITION = re.compile(r" {0,4}-")
_REMOVED = "the argument has been removed"
_FLAG = re.compile(r"(?<![\w-])--?[A-Za-z][\w.-]*")
_GAP = re.compile(r"(?<![,\s])\s{2,}")
_WORDS = r"\w[\w.+-]*"
_CHOICES = re.compile(rf"[\[{{<]({_WORDS}(?:[|,]{_WORDS})+)[\]}}>]$| ([a-z]{_WORDS}(?:,{_WORDS}){{2,}})$")
_ALLOWED = re.compile(rf"allowed values: ({_WORDS}(?:, {_WORDS})*)")
_TEMPLATES = re.compile(rf"built-in templates: ({_WORDS}(?:, {_WORDS})*)")
_BUILD = re.compile(r"\bbuild:? (\d+)|^(\d+) \(")


class Capabilities(msgspec.Struct, frozen=True):
    """`version` is the text as printed, `build` llama.cpp's build number where it has one.

    `flags` are those that `--help` defines, long and short, as they are typed. `choices` has, for some of
    them, all that may follow it; `templates` are the chat templates that need no file.
    """

    version: str
    build: int | None
    flags: frozenset[str]
    choices: dict[str, tuple[str, ...]] = {}
    templates: tuple[str, ...] = ()

    def has(self, flag: str) -> bool:
        return flag in self.flags


_known: dict[tuple[str, int, int], Capabilities] = {}


async def examine(engine: Engine) -> Capabilities:
    """What this executable can do; it is run only when its file is new or has changed.

    Two that ask at the same time for the first time both run it.

    Raises `Refused` when it cannot be run or is not a llama-server.
    """
    try:
        file = Path(engine.path).stat()
    except OSError as error:
        raise Refused(f"{engine.path} cannot be run: {error.strerror}", WAY_OUT) from None
    key = (engine.path, file.st_size, file.st_mtime_ns)
    if key not in _known:
        _known[key] = await _examine(engine)
    return _known[key]


_LIBRARY = re.compile(r"loading shared libraries: (lib[^:\s]+)")
_PACKAGES = {"libgomp.so.1": "libgomp1"}
"""What Debian calls the package of a library that its smallest systems lack."""


async def _examine(engine: Engine) -> Capabilities:
    said: dict[str, tuple[str, str]] = {}

    async def ask(word: str) -> None:
        said[word] = await answer(engine, word)

    async with anyio.create_task_group() as group:
        group.start_soon(ask, "--help")
        group.start_soon(ask, "--version")
    text, trouble = said["--help"]
    flags = flags_in(text)
    choices, templates = choices_in(text), templates_in(text)
    if missing := [flag for flag in NEEDED if flag not in flags]:
        why = trouble or f"its --help knows no {', '.join(missing)}"
        library = _LIBRARY.search(why)
        hint = f"apt-get install {_PACKAGES.get(library[1], library[1])}" if library else WAY_OUT
        raise Refused(f"{engine.path} is no usable llama-server: {why}", hint)
    version, build = version_in(said["--version"][0])
    return Capabilities(version, build, flags, choices, templates)


def flags_in(help_text: str) -> frozenset[str]:
    """The flags that a help text defines: `-c,    --ctx-size N      size of the prompt context`.

    Flags that only a description mentions do not count, nor those that are kept to say that they are gone.
    """
    return frozenset(flag for flags, _, _ in _entries(help_text) for flag in flags)


def choices_in(help_text: str) -> dict[str, tuple[str, ...]]:
    """What may follow a flag, where it is told: `--pooling {none,mean}`, `allowed values: f32, f16`."""
    choices: dict[str, tuple[str, ...]] = {}
    for flags, head, description in _entries(help_text):
        if match := _CHOICES.search(head) or _ALLOWED.search(description):
            words = re.split(r"[|,]\s*", next(filter(None, match.groups())))
            choices |= dict.fromkeys(flags, tuple(words))
    return choices


def templates_in(help_text: str) -> tuple[str, ...]:
    """The names that `--chat-template` takes."""
    descriptions = (description for flags, _, description in _entries(help_text) if "--chat-template" in flags)
    match = _TEMPLATES.search(next(descriptions, ""))
    return tuple(match[1].split(", ")) if match else ()


def _entries(help_text: str) -> Iterator[tuple[list[str], str, str]]:
    """Each definition: its flags, the line they stand in without the description, the description in one line."""
    lines = help_text.splitlines()
    starts = [number for number, line in enumerate(lines) if _DEFINITION.match(line)]
    for start, end in pairwise([*starts, len(lines)]):
        head, *beside = _GAP.split(lines[start].strip(), maxsplit=1)
        description = " ".join(filter(None, map(str.strip, [*beside, *lines[start + 1 : end]])))
        if not description.startswith(_REMOVED):
            yield _FLAG.findall(head), head, description


def version_in(text: str) -> tuple[str, int | None]:
    """Version and build number: `version: 6123 (79c1160b)`, `version: 0.1.0 (build 1, commit 7e4c0a9)`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("version")), lines[0] if lines else "unknown")
    version = said.removeprefix("version").lstrip(": ")
    build = _BUILD.search(version)
    return version, int(build[1] or build[2]) if build else None


async def answer(engine: Engine, *words: str, patience: float | None = None) -> tuple[str, str]:
    """What it prints when run with these, and what went wrong.

    It is ended after `patience` seconds (else `TIMEOUT`) or `LARGEST` bytes.
    """
    seconds = TIMEOUT if patience is None else patience
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    said = bytearray()
    try:
        session = lead([engine.path, *words], clean(os.environ, engine.environment), writing)
    except OSError as error:
        os.close(reading)
        return "", error.strerror or str(error)
    finally:
        os.close(writing)
    try:
        with anyio.move_on_after(seconds) as waiting:
            async with anyio.create_task_group() as group:
                group.start_soon(_read, reading, said, session)
                await session.wait()  # leaves nobody who could keep the pipe open
    finally:
        session.kill()
        with anyio.CancelScope(shield=True):
            ended = await session.wait()
        os.close(reading)
    text = said.decode(errors="replace")
    if waiting.cancelled_caught:
        return text, f"it gave no answer to {words[0]} within {seconds:g} s"
    return text, "" if ended.code == 0 else output.reason(
        output.Death(lines=text.splitlines(), code=ended.code, signal=ended.signal)
    )


async def _read(pipe: int, into: bytearray, session: Session) -> None:
    while len(into) < LARGEST:
        await anyio.wait_readable(pipe)
        if not (piece := os.read(pipe, 65536)):
            return
        into += piece
    session.kill()
