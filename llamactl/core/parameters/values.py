"""Is this a value for that parameter? What is said when it is not."""

import re
import shlex
from contextlib import suppress
from typing import Any

import msgspec

from llamactl.core.errors import BadRequest
from llamactl.core.model import Setting
from llamactl.core.parameters.parameter import Parameter
from llamactl.core.units import parse_duration

LONGEST = 128 * 1024 - 1
"""Bytes in one argument: Linux starts no program with a longer one."""

_BOOLEANS = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_INT32 = 2**31
_FLOAT32 = (1.18e-38, 3.4e38)


class Unfit(Exception):
    """The value is none; the text, where there is one, says more than `allowed`."""


def value_of(parameter: Parameter, value: object) -> Setting:
    """The value as it is kept; raises `BadRequest` with what would be allowed."""
    try:
        return _READ[parameter.kind](parameter, value)
    except Unfit as why:
        shown = "***" if parameter.secret else _shown(value)
        may = str(why) or f"it may be {allowed(parameter)}"
        raise BadRequest(f"{parameter.name} cannot be {shown}: {may}", f"{parameter.name}: {parameter.help}") from None


def allowed(parameter: Parameter) -> str:
    """In words: `a number from 0 to 1`, `on, off or auto`, `a whole number of tokens, 0 or more`."""
    if parameter.kind == "switch":
        return "on or off"
    if parameter.kind == "choice":
        return _either(parameter.choices)
    if parameter.kind == "duration":
        return "a duration like 15m, or -1 for never"
    if parameter.kind == "json":
        return "a JSON object"
    if parameter.kind == "arguments":
        return "arguments as for a shell, or a list of them"
    if parameter.kind == "path":
        return f"the absolute path of a {parameter.must_exist or 'file'}"
    if parameter.kind in ("int", "float"):
        return _either((*(word for word in parameter.choices if not _WHOLE.fullmatch(word)), _numbers(parameter)))
    if parameter.kind == "text":
        return parameter.form or "a text"
    if parameter.passing == "spread":
        return parameter.form
    between = "one a line" if parameter.separator == "\n" else f"with {parameter.separator} between them"
    return f"{_count(parameter)} {_item(parameter)}, {between}"


def pieces(parameter: Parameter, value: Setting) -> list[str]:
    """The items of a list, the words of raw arguments; of anything else its only text."""
    if parameter.kind == "list":
        return str(value).split(parameter.separator)
    if parameter.kind == "arguments":
        return shlex.split(str(value))
    if isinstance(value, bool):
        return [(parameter.words or ("off", "on"))[value]]
    return [str(value)]


def _numbers(parameter: Parameter) -> str:
    whole = parameter.kind == "int" or parameter.item == "int"
    unit = f" of {parameter.unit}" if parameter.unit else ""
    least = f"{parameter.least:g}" if parameter.least is not None else ""
    most = f"{parameter.most:.0f}" if whole and parameter.most else f"{parameter.most or 0:g}"
    if parameter.most is not None:
        bounds = f" from {least} to {most}"
    elif least:
        bounds = f", {least} or more" if unit else f" of {least} or more"
    else:
        bounds = ""
    besides = next(
        (f", or {word}" for word in parameter.choices if word == "-1" and "auto" not in parameter.choices), ""
    )
    return f"{'a whole number' if whole else 'a number'}{unit}{bounds}{besides}"


def _item(parameter: Parameter) -> str:
    if parameter.choices:
        return f"of {_either(parameter.choices)}"
    if parameter.form:
        return f"of {parameter.form}"
    if parameter.item in ("int", "float"):
        return f"items, each {_numbers(parameter)}"
    return "absolute paths" if parameter.item == "path" else "texts"


def _count(parameter: Parameter) -> str:
    return f"up to {parameter.items[1]}" if parameter.items[1] < 100 else "one or more"


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
    return repr(text if len(text) <= 60 else f"{text[:57]}…")


def _switch(parameter: Parameter, value: object) -> Setting:
    known = _BOOLEANS.get(_plain(value).strip().lower())
    if known is None:
        raise Unfit
    return known


def _number(parameter: Parameter, value: object) -> Setting:
    text = _plain(value).strip()
    if isinstance(value, bool):
        raise Unfit
    if parameter.choices and text.lower() in parameter.choices:
        return int(text) if _WHOLE.fullmatch(text) else text.lower()
    return _in_range(parameter, text, whole=parameter.kind == "int")


def _in_range(parameter: Parameter, text: str, whole: bool) -> int | float:
    if not (_WHOLE if whole else _DECIMAL).fullmatch(text):
        raise Unfit
    number = int(text.partition(".")[0]) if whole else float(text)
    least, most = (-_INT32, _INT32 - 1) if whole else (-_FLOAT32[1], _FLOAT32[1])
    least = least if parameter.least is None else parameter.least
    most = most if parameter.most is None else parameter.most
    if not least <= number <= most or (not whole and 0 < abs(number) < _FLOAT32[0]):
        raise Unfit
    return number


def _duration(parameter: Parameter, value: object) -> Setting:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit
    try:
        number = isinstance(value, str) and _DECIMAL.fullmatch(value.strip())
        seconds = parse_duration(float(value) if number else value)
    except BadRequest:
        raise Unfit from None
    if not seconds < _FLOAT32[1]:
        raise Unfit
    return seconds


def _text(parameter: Parameter, value: object) -> Setting:
    if isinstance(value, bool) and not parameter.secret:
        raise Unfit
    return _matching(parameter, _plain(value))


def _matching(parameter: Parameter, text: str) -> str:
    if not text:
        raise Unfit("it cannot be empty; to leave it to llama-server, unset it")
    if "\0" in text:
        raise Unfit("no argument can hold a zero byte")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Unfit("it is no text in UTF-8") from None
    if size > LONGEST:
        raise Unfit(f"an argument cannot be longer than {LONGEST} bytes; put it into a file")
    if parameter.pattern and not re.fullmatch(parameter.pattern, text, re.DOTALL | re.ASCII):
        raise Unfit
    return text


def _choice(parameter: Parameter, value: object) -> Setting:
    word = _plain(value).strip().lower()
    if isinstance(value, bool) or word not in parameter.choices:
        as_switch = _BOOLEANS.get(word)
        word = {True: "on", False: "off", None: ""}[as_switch]
    if word not in parameter.choices:
        raise Unfit
    return word


def _path(parameter: Parameter, value: object) -> Setting:
    if not isinstance(value, str):
        raise Unfit
    return _absolute(_matching(parameter, value))


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise Unfit("write the whole path, from / on: the daemon works in another directory")
    return path


def _list(parameter: Parameter, value: object) -> Setting:
    items = _items(parameter, value)
    least, most = parameter.items
    if not least <= len(items) <= most:
        raise Unfit
    return _matching(msgspec.structs.replace(parameter, pattern=""), parameter.separator.join(items))


def _items(parameter: Parameter, value: object) -> list[str]:
    """A list, a JSON array of texts or numbers, or a text with the separator between the items."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(msgspec.DecodeError):  # a text may begin like one
            value = msgspec.json.decode(value)
    if isinstance(value, list | tuple):
        texts = [_plain(item) for item in value]
        if parameter.separator == "\n":  # llama-server reads it as a line's end again
            texts = [text.replace("\n", "\\n") for text in texts]
        if any(parameter.separator in text for text in texts):
            raise Unfit(f"an item cannot hold {parameter.separator!r}")
    else:
        texts = _plain(value).split(parameter.separator)
        if len(texts) == 1 and parameter.passing == "spread":
            texts = texts[0].split()
    if parameter.separator != "\n":
        texts = [text.strip() for text in texts]
    return [_list_item(parameter, text) for text in texts]


def _list_item(parameter: Parameter, text: str) -> str:
    if parameter.item in ("int", "float"):
        return str(_in_range(parameter, text, whole=parameter.item == "int"))
    if parameter.choices and text not in parameter.choices:
        raise Unfit
    text = _matching(parameter, text)
    return _absolute(text) if parameter.item == "path" else text


def _json(parameter: Parameter, value: object) -> Setting:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(_matching(parameter, value))
        except msgspec.DecodeError as error:
            raise Unfit(f"it must be a JSON object, and this is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unfit
    return _matching(parameter, msgspec.json.encode(value).decode())


def _arguments(parameter: Parameter, value: object) -> Setting:
    if isinstance(value, str) and not value.lstrip().startswith("["):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise Unfit(f"a shell could not read it: {str(error).lower()}") from None
    else:
        try:
            words = msgspec.json.decode(value, type=list[str]) if isinstance(value, str) else _strings(value)
        except msgspec.DecodeError as error:
            raise Unfit(f"it must be a list of texts: {error}") from None
    return shlex.join([_matching(parameter, word) for word in words])


def _strings(value: Any) -> list[str]:
    try:
        return msgspec.convert(value, list[str])
    except msgspec.ValidationError:
        raise Unfit from None


def _plain(value: object) -> str:
    """The text of one that is a single thing."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str | int | float):
        return str(value)
    raise Unfit


_READ = {
    "switch": _switch,
    "int": _number,
    "float": _number,
    "text": _text,
    "choice": _choice,
    "list": _list,
    "path": _path,
    "json": _json,
    "arguments": _arguments,
    "duration": _duration,
}
