"""llamactl-output(7): what scripts may rely on. What is in each schema, `cli/schemas/` knows; a test keeps it true."""

from pathlib import Path

import msgspec

from llamactl.cli.documents.manual import EXITS
from llamactl.cli.documents.mdoc import example, exits, items, page, text


class Schema(msgspec.Struct):
    """`fields` are types by path, as tests/e2e/shapes.py writes them."""

    schema: str
    commands: list[str]
    fields: dict[str, str]


_OUTPUTS = {
    "table": "For people: columns, in colours on a terminal.",
    "wide": "The same with more columns.",
    "json": "One object; a list stands in its field items. What goes on (logs, events -f) is an object a line.",
    "jsonl": "One object a line for each thing of a list, with the schema of one of them: instance for instances.",
    "name": "The name of each thing, a line each; of requests and events the number. "
    "What has no name is shown as in a table.",
}

_ABOUT = """\
Data goes to the standard output; messages, progress and errors as text go to the standard error, and with --quiet no
message does.
Nothing moves where the standard error is no terminal.
"""

_JSON = """\
The field schema says what an object is and in which version.
Within a version, fields may be added, and new words where a word is one of several (states, kinds of events);
nothing is taken away, renamed or given another meaning.
Whoever reads it must let unknown fields be.
Sizes are bytes, durations seconds, times are RFC 3339 in UTC; what is not known is null.
"""

_ERRORS = """\
Where a command fails, it prints one object with code (a word that stays), message and hint (both for people, and not
to be relied on) and exit, which is the exit status.
Of several models of which some failed, the object has items with those that did not, and error beside it; the exit
status is 10.
"""

_ERROR = '{"error":{"code":"not_found","message":"no model is called \'gwen\'","hint":"llamactl models ls","exit":4}}'

_FIELDS = """\
The fields of each object with the types that they had when commands were recorded: where null, list or object stands
alone there was nothing in it, and the value of a setting, or of a key of the configuration, may be of any type.
items[].name is the field name of each object in the list items, memory.* what stands under names that are data,
and what is absent is not there in every one.
What api METHOD --describe prints is a JSON Schema itself.
"""


def output(directory: Path) -> str:
    found = [msgspec.json.decode(path.read_bytes(), type=Schema) for path in sorted(directory.iterdir())]
    body = [
        ".Sh DESCRIPTION",
        *text(_ABOUT),
        "With",
        ".Fl -output",
        "data is written as:",
        *items([(f"Cm {name}", text(what)) for name, what in _OUTPUTS.items()]),
        ".Ss JSON",
        *text(_JSON),
        ".Ss Errors as JSON",
        *text(_ERRORS),
        *example(_ERROR),
        ".Ss Exit status",
        *exits(EXITS),
        ".Sh SCHEMAS",
        *text(_FIELDS),
        *[line for schema in found for line in _schema(schema)],
    ]
    return page("llamactl-output", 7, "what llamactl prints, for scripts", body, ["llamactl 1"])


def _schema(schema: Schema) -> list[str]:
    by = ", ".join(name if name == "llamactl" else f"llamactl {name}" for name in schema.commands)
    fields = [
        (path, kind.replace("|", " or "))
        for path, kind in schema.fields.items()
        if kind not in ("object", "list") or not _has_more(path, schema.fields)
    ]
    width = max((len(path) for path, _ in fields), default=0)
    listed = "\n".join(f"{path:{width}}  {kind}" for path, kind in fields)
    return [f".Ss {schema.schema}", *text(f"By {by}."), *(example(listed) if listed else [])]


def _has_more(path: str, fields: dict[str, str]) -> bool:
    return any(other.startswith((f"{path}.", f"{path}[")) for other in fields)
