"""The files that systemd needs to run the daemon, made to fit this installation."""

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from llamactl.core.errors import Forbidden, LlamactlError, Refused

MARK = "# Written by llamactl daemon install-unit, which replaces it while what follows is unchanged: sha256 "

SERVICE = "llamactl.service"
_UNITS = (SERVICE, "llamactl.socket", "llamactl-proxy.socket")

_USUAL = re.compile(r"(?:/usr/bin|%h/\.local/bin)/(llamactld?)\b")
"""Where our own texts have the programs."""

State = Literal["new", "other", "same", "edited"]


class Unit(NamedTuple):
    """A file as it should be, and what is there: `other` is an earlier text of ours, `edited` is not ours."""

    path: Path
    text: str
    state: State


def install(*, user: bool, dry_run: bool) -> list[Unit]:
    """Write the files for the system, or for this `user`, unless it is a `dry_run`; gives them as they were found.

    Raises `Refused` where one was edited, before anything is written, `Forbidden`, and other `LlamactlError`s.
    """
    if not user:
        _reached_by_all(Path(sys.executable))
    programs = {name: _program(name) for name in ("llamactl", "llamactld")}
    units = [_unit(path, fitted(text, programs)) for path, text in _texts(user=user).items()]
    if edited := [str(unit.path) for unit in units if unit.state == "edited"]:
        raise Refused(
            f"changed since, or not from this command, and so left alone: {', '.join(edited)}",
            f"to keep changes of your own, put them into {_systemctl(user)} edit {SERVICE}, and move the file away",
        )
    if not dry_run:
        for unit in units:
            _write(unit)
    return units


def following(*, user: bool) -> list[str]:
    """What is to be typed after that, in this order."""
    systemctl = _systemctl(user)
    after = [f"{systemctl} daemon-reload", f"{systemctl} enable --now {SERVICE}"]
    if user:
        after.append("loginctl enable-linger")
    else:
        after[:0] = ["systemd-sysusers", "systemd-tmpfiles --create llamactl.conf"]
    return after


def _systemctl(user: bool) -> str:
    return "systemctl --user" if user else "systemctl"


def fitted(text: str, programs: dict[str, str]) -> str:
    """A text of ours for programs that lie elsewhere, below the line that tells later whether it was changed."""
    text = _USUAL.sub(lambda found: programs[found[1]], text)
    return f"{MARK}{_digest(text)}\n{text}"


def state(wanted: str, found: str | None) -> State:
    """What is to be said of a file with the text `found`."""
    if found is None:
        return "new"
    if found == wanted:
        return "same"
    first, _, rest = found.partition("\n")
    return "other" if first == f"{MARK}{_digest(rest)}" else "edited"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(*, user: bool) -> dict[Path, str]:
    """What belongs where, as it comes with this package: in a checkout the directory beside it, else inside."""
    inside = Path(__file__).parents[1] / "systemd"
    root = inside if inside.is_dir() else Path(__file__).parents[2] / "systemd"
    if user:
        given = os.environ.get("XDG_CONFIG_HOME", "")
        at = (Path(given) if given.startswith("/") else Path.home() / ".config") / "systemd" / "user"
        return {at / name: (root / "user" / name).read_text() for name in _UNITS}
    etc = Path("/etc")
    named = {etc / "systemd" / "system" / name: name for name in _UNITS}
    named |= {etc / f"{kind}.d" / "llamactl.conf": f"llamactl.{kind}" for kind in ("sysusers", "tmpfiles")}
    return {path: (root / name).read_text() for path, name in named.items()}


def _program(name: str) -> str:
    """The command, as a unit has it."""
    script = Path(sys.executable).with_name(name)
    if script.exists():
        return _quoted(str(script))
    return f"{_quoted(sys.executable)} -m llamactl{' daemon run' if name == 'llamactld' else ''}"


def _quoted(path: str) -> str:
    if re.search(r"[\"'\\$%`\n]", path):
        raise Refused(f"a unit cannot have the path {path!r}", "install llamactl where the path is a plain one")
    return f'"{path}"' if " " in path else path


def _reached_by_all(python: Path) -> None:
    """The system's daemon has a user of its own, who must get at the programs."""
    for part in {*python.parents, *python.resolve().parents}:
        if not part.stat().st_mode & 0o001:
            raise Refused(
                f"{python} runs this llamactl, and other users cannot look into {part}",
                "install it for all, as in /opt/llamactl; or llamactl daemon install-unit --user",
            )


def _unit(path: Path, text: str) -> Unit:
    try:
        found = path.read_text(errors="replace")
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise LlamactlError(f"cannot read {path}: {error.strerror}", f"ls -l {path}") from None
    return Unit(path, text, state(text, found))


def _write(unit: Unit) -> None:
    if unit.state == "same":
        return
    new = unit.path.with_name(f".{unit.path.name}.new")
    try:
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(unit.text)
        new.chmod(0o644)
        new.replace(unit.path)
    except PermissionError:
        raise Forbidden(f"may not write {unit.path}", "as root, or llamactl daemon install-unit --user") from None
    except OSError as error:
        raise LlamactlError(f"cannot write {unit.path}: {error.strerror}", f"ls -ld {unit.path.parent}") from None
