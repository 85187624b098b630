"""What scripts and prompts ask all the time, answered without typer, rich and msgspec: byte for byte as `app` does.

Only what goes well is answered here. Whatever is out of the ordinary is left to `app`, from the beginning.
"""

import os
import sys

from llamactl import __version__
from llamactl.config.sockets import control_sockets
from llamactl.rpc.bare import ask

SHELLS = {"bash": "llamactl.bash", "zsh": "_llamactl", "fish": "llamactl.fish"}
"""The file of each one's completions."""

PATIENCE = 1.0
"""Seconds for a daemon that is well; `app` waits longer, and says for what."""

_FORMS = {
    "json": ("--json", "-o json", "-ojson", "--output json", "--output=json"),
    "name": ("-o name", "-oname", "--output name", "--output=name"),
}
_PS = {
    tuple(line.split()): (form, everything)
    for form, flags in _FORMS.items()
    for flag in flags
    for verb, everything in (("ps", False), ("ps -a", True), ("ps --all", True))
    for line in (f"{verb} {flag}", f"{flag} {verb}")
}
"""How it is typed: the form that is wanted, and whether those that do not run are."""


def done(arguments: list[str]) -> bool:
    """Is it one of these, and said?"""
    text = _answer(tuple(arguments))
    if text is None:
        return False
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except OSError:
        return False  # `app` meets it again
    return True


def completion(shell: str) -> bytes | None:
    """Its script, which lies in the package where that was installed, and beside it in a checkout."""
    package = os.path.dirname(os.path.dirname(__file__))
    for place in (package, os.path.dirname(package)):
        try:
            with open(f"{place}/completions/{SHELLS[shell]}", "rb") as file:
                return file.read()
        except OSError:
            continue
    return None


def _answer(arguments: tuple[str, ...]) -> bytes | None:
    match arguments:
        case ("--version",):
            return f"llamactl {__version__}\n".encode()
        case ("completion", shell) if shell in SHELLS:
            return completion(shell)
        case _ if arguments in _PS:
            return _ps(*_PS[arguments])
    return None


def _ps(form: str, everything: bool) -> bytes | None:
    host = os.environ.get("LLAMACTL_HOST", "")
    if host and not host.startswith(("/", "unix:///")):
        return None
    rows = ask(control_sockets(), "instances.list", '{"all":true}' if everything else "{}", PATIENCE)
    if rows is None:
        return None
    if form == "json":
        return b'{"schema":"llamactl.instances/v1","items":' + rows + b"}\n"
    # A quote inside of a text stands behind a backslash, so this is the beginning of each row, and nothing else.
    names = [row.partition(b'"')[0] for row in rows.split(b'{"name":"')[1:]]
    return None if any(b"\\" in name for name in names) else b"".join(name + b"\n" for name in names)
