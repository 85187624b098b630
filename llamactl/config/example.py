"""The example file: every key, commented out, with its default and what it is for.

`python -m llamactl.config.example` writes it; `llamactl config edit` begins with it where there is no file yet.
"""

import sys
from itertools import groupby
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
        for group, members in groupby((key for key in keys if key.section == section), lambda key: key.group):
            if group:
                parts.append(f"\n# --- {group}\n")
            parts += map(_key, members)
    return "".join(parts)


def _key(described: Described) -> str:
    may_be = f"It may be {described.may_be}."
    written = f"#{described.name} = {described.written_default}\n"
    if described.group:  # there are many
        return f"{_comment(f'{described.about} {may_be}')}{written}"
    return f"\n{_comment(described.about)}{_comment(may_be)}{written}"


def _comment(text: str) -> str:
    return "".join(f"# {row}\n" for row in wrap(text, 100))


if __name__ == "__main__":
    sys.stdout.write(example())
