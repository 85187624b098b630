"""The text of the file for who may change it from elsewhere: each secret is a number in it, and stays behind.

Looked for by its name rather than parsed: a file that is no TOML has to be mended, too, and what was a remark may be
taken into use. Where something else goes by such a name it is a number meanwhile, and no harm is done.
"""

import re
from pathlib import Path

from llamactl.config.sections import SECTIONS
from llamactl.config.sources import tables, types
from llamactl.config.values import is_secret
from llamactl.core.errors import BadRequest, Refused

_SECRETS = {(section, key) for section in SECTIONS for key, kind in types(section).items() if is_secret(kind)}
_VALUE = re.compile(
    rf"""(?P<name>\b(?:{"|".join(sorted(key for _, key in _SECRETS))})["']?[ \t]*=[ \t]*)"""
    r"""(?P<value>"{3}(?:\\.|[^\\])*?"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])+"|'[^'\n]+'|(?!""|'')[^\s][^\n]*)""",
    re.DOTALL,
)
"""Not of an empty text, which is none; what is no text at all goes as far as the line."""
_NUMBER = re.compile(r'"\(hidden (\d+)\)"')


def concealed(path: Path, text: str) -> str:
    """The text with a number for each secret. Raises `Refused` where one is written so that it is not found."""
    number = 0

    def hide(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return f'{found["name"]}"(hidden {number})"'

    shown = _VALUE.sub(hide, text)
    for key, given in tables(path, shown, []).items():
        if key in _SECRETS and given.raw and not _NUMBER.fullmatch(f'"{given.raw}"'):
            raise Refused(
                f"{given.origin}: {'.'.join(key)} is a secret, and written in a way that it cannot be hidden",
                f"llamactl config edit, there; or first: llamactl config unset {'.'.join(key)}",
            )
    return shown


def revealed(text: str, before: str) -> str:
    """The text with the secrets of the text `before` for their numbers. Raises `BadRequest` for one that it has not.

    Only where a secret belongs: what is read by anybody cannot be given one by its number.
    """
    values = [found["value"] for found in _VALUE.finditer(before)]

    def put(found: re.Match[str]) -> str:
        number = _NUMBER.fullmatch(found["value"])
        if number is None:
            return found[0]
        if not 0 < int(number[1]) <= len(values):
            raise BadRequest(f"{number[0]} stands for no secret in the file", "write the value itself")
        return found["name"] + values[int(number[1]) - 1]

    return _VALUE.sub(put, text)
