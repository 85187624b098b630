"""The example file: every key, commented out, with its default and what it is for.

`python -m llamactl.config.example` writes it; `llamactl config edit` begins with it where there is no file yet.
"""

import sys
from textwrap import wrap

from llamactl.config.describe import Described, about_section, describe
from llamactl.config.sections import SECTIONS

_HEAD = """\
# The configuration of llamactl: every key, with what it is if it is not written. See llamactl.toml(5).
#
# A duration is a number of seconds, or a text like "90s", "15m", "1h30m"; a size is a number of bytes, or a
# text like "12GiB", "500MB". A relative path begins at the directory of this file. What has "" below, and is
# no text, is not set.
"""


def example() -> str:
    keys = describe()
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"\n{_comment(about_section(section))}[{section}]\n")
        parts += [_key(described) for described in keys if described.section == section]
    return "".join(parts)


def _key(described: Described) -> str:
    may_be = f"{described.may_be[0].upper()}{described.may_be[1:]}."
    return f"\n{_comment(described.about)}{_comment(may_be)}#{described.name} = {described.written_default}\n"


def _comment(text: str) -> str:
    return "".join(f"# {row}\n" for row in wrap(text, 100))


if __name__ == "__main__":
    sys.stdout.write(example())
