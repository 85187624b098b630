"""Is this what that says, but for what differs from one machine and one run to the next?"""

import difflib
import re

_VARIES = re.compile(
    r"(?P<rest>…\n)"  # alone on a line: any lines, and none
    r"|(?P<any>…)"
    r"|(?P<duration>\b\d+[dhms](?:\d\d[hms])*\b)"
    r"|(?P<size>\b\d[\d.]* (?:[KMGT]i)?B\b)"
    r"|(?P<quantisation>\bQ\d\w*|\bB?F(?:16|32)\b)"
    r"|(?P<number>\d[\d.:]*[KMBT]?)"
    r"|(?P<space>[ ]{2,}|-{2,})"
)
_PATTERNS = {
    "rest": r"(?:[^\n]*\n)*?",
    "any": r"[^\n]*",
    "duration": r"(?:\d+[dhms]?)+",
    "size": r"\d[\d.]* (?:[KMGT]i)?B",
    "quantisation": r"(?:Q\d\w*|B?F(?:16|32))",
    "number": r"\d[\d.:]*[KMBT]?",
    "space": r"[ -]+",
}


def pattern(told: str) -> re.Pattern[str]:
    """Numbers, times, sizes, quantisations and widths are free; `…` is anything on a line, or any lines."""
    parts: list[str] = []
    end = 0
    for found in _VARIES.finditer(told):
        kind = str(found.lastgroup)
        if kind == "rest" and found.start() and told[found.start() - 1] != "\n":
            parts += [re.escape(told[end : found.start()]), _PATTERNS["any"], "\n"]
        else:
            parts += [re.escape(told[end : found.start()]), _PATTERNS[kind]]
        end = found.end()
    return re.compile("".join([*parts, re.escape(told[end:])]))


def difference(told: str, seen: str) -> str:
    """Nothing where they are the same in this sense."""
    seen = "".join(f"{line.rstrip()}\n" for line in seen.splitlines())
    told = "".join(f"{line.rstrip()}\n" for line in told.splitlines())
    if pattern(told).fullmatch(seen):
        return ""
    return "\n".join(difflib.unified_diff(told.splitlines(), seen.splitlines(), "told", "seen", lineterm="", n=99))
