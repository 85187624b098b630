"""What scripts may rely on, as llamactl(1) has it."""

from typing import get_args

from llamactl.cli.documents.mdoc import items, text
from llamactl.core.errors import BY_CODE
from llamactl.core.finding import Code

_RELY = {
    "Names": "Commands, their aliases, options and arguments; keys of the configuration with the variables of the "
    "environment; settings of models; types of events; codes of errors and of what doctor finds.",
    "Exit codes": "Each keeps its meaning; see EXIT STATUS. A code may be added for what ended with 1 before.",
    "JSON": "Within one version of a schema (llamactl.instances/v1) fields keep name, type and meaning, and none goes. "
    "Fields and values of an enumeration may be added: pass over what is not known. Anything else is another version. "
    "Of a stream each line is one object.",
    "Calls": "Those of api, the control socket and POST /rpc: methods and parameters stay, new parameters may be left "
    "out, answers may gain fields. Events are numbered over restarts of the daemon; who is too slow is told how "
    "many were left out.",
    "Idempotence": "start of what is ready, stop of what is stopped, add of what is there, import of what was exported "
    "succeed and change nothing.",
    "Streams": "Data goes to the standard output and nothing else does; nothing is asked off a terminal.",
}

_NOT = """\
Not promised are tables and messages, which are for people; the order of fields; the files below the data, log and
runtime directories and the schema of the database, but that later versions read what earlier ones wrote; modules of
Python.
"""

_LATER = """\
What is to go is listed as deprecated in the changelog first, and works on with a note on the standard error for two
minor releases at least.
Until then both the old and the new are understood.
"""


def stability() -> list[str]:
    return [
        ".Sh STABILITY",
        *text("Scripts may rely on these, from one minor release to the next:"),
        *items([(name, text(what)) for name, what in _RELY.items()]),
        ".Pp",
        *text(f"Codes of errors are {', '.join(sorted(BY_CODE))}."),
        ".Pp",
        *text(f"What doctor finds wrong is {', '.join(code for code in get_args(Code) if '-' in code)}."),
        ".Pp",
        *text(_NOT),
        ".Pp",
        *text(_LATER),
    ]
