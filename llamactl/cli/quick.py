"""What scripts and prompts ask all the time, answered without typer, rich and msgspec: byte for byte as `app` does.

Only what goes well is answered here. Whatever is out of the ordinary is left to `app`, from the beginning.
"""

import os
import sys

from llamactl import __version__

SHELLS = {"bash": "llamactl.bash", "zsh": "_llamactl", "fish": "llamactl.fish"}
"""The file of each one's completions."""

HELP, WIDTH = "help.txt", 80
"""What --help says, written by `documents`, and the columns from which on it is the same."""

PATIENCE = 1.0
"""Seconds for a daemon that is well; `app` waits longer, and says for what."""

FORMS = ("json", "name")
"""Of what is listed, those that need no table."""


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
    places = (package, os.path.dirname(package))
    return next(filter(None, (_read(f"{place}/completions/{SHELLS[shell]}") for place in places)), None)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _columns() -> int:
    """As `shutil.get_terminal_size` has it, except that a variable is left to that."""
    if "COLUMNS" in os.environ:
        return 0
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else WIDTH
    except (OSError, ValueError):
        return WIDTH


def _answer(arguments: tuple[str, ...]) -> bytes | None:
    match arguments:
        case ("--version",):
            return f"llamactl {__version__}\n".encode()
        case ("--help",) | ("-h",) if _columns() >= WIDTH:
            return _read(f"{os.path.dirname(__file__)}/{HELP}")
        case ("completion", shell) if shell in SHELLS:
            return completion(shell)
        case _ if "ps" in arguments and (typed := _typed(arguments)):
            return _ps(*typed)
    return None


def _typed(arguments: tuple[str, ...]) -> tuple[str, bool] | None:
    """Of `ps`: the form that is wanted, and whether those that do not run are; None if anything else is, too.

    -q changes nothing where all goes well; -a is an option of `ps`, and not known before it.
    """
    forms, everything, verb = [], False, False
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "ps" and not verb:
            verb = True
        elif word == "--all" and verb:
            everything = True
        elif word == "--json":
            forms.append("json")
        elif name == "--output":
            forms.append(value if equals else next(words, ""))
        elif word[:1] == "-" and word[1:2] != "-":
            letters, output, form = word[1:].partition("o")
            if not set(letters) <= {*"qa"} or ("a" in letters and not verb) or len(word) < 2:
                return None
            everything = everything or "a" in letters
            if output:
                forms.append(form or next(words, ""))
        elif word != "--quiet":
            return None
    return (forms[0], everything) if verb and len(forms) == 1 and forms[0] in FORMS else None


def _ps(form: str, everything: bool) -> bytes | None:
    host = os.environ.get("LLAMACTL_HOST", "")
    if host and not host.startswith(("/", "unix:///")):
        return None
    from llamactl.config.sockets import control_sockets
    from llamactl.rpc.bare import ask

    rows = ask(control_sockets(), "instances.list", '{"all":true}' if everything else "{}", PATIENCE)
    if rows is None:
        return None
    if form == "json":
        return b'{"schema":"llamactl.instances/v1","items":' + rows + b"}\n"
    # A quote inside of a text stands behind a backslash, so this is the beginning of each row, and nothing else.
    names = [row.partition(b'"')[0] for row in rows.split(b'{"name":"')[1:]]
    return None if any(b"\\" in name for name in names) else b"".join(name + b"\n" for name in names)
