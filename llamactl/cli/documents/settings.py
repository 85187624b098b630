"""llamactl.toml(5): every section and key of the configuration."""

from llamactl.cli.documents.mdoc import characters, example, items, page, text
from llamactl.config.describe import Described, about_section, describe
from llamactl.config.sections import SECTIONS

_ABOUT = """\
The daemon reads /etc/llamactl/config.toml, then config.toml in the directory llamactl of XDG_CONFIG_HOME (~/.config
where that is not set), which wins.
LLAMACTL_CONFIG or --config name another file instead of the second.
A variable LLAMACTL_<SECTION>_<KEY> wins over both; the parts of a list are separated by colons there, those of
metrics.tiers by commas and those of residency.groups by bars (|).
A file with an unknown key, or a value that cannot be used, is refused with its line.
"""

_VALUES = """\
A duration is a number of seconds, or a text like 90s, 15m or 1h30m.
A size is a number of bytes, or a text like 12GiB or 500MB.
A rate is a number per minute, or a text like 5/s or 60/min.
A relative path begins at the directory of the file that it stands in.
"""

_CHANGES = """\
A daemon that runs takes changes over with llamactl daemon reload, or on SIGHUP: all but those that need a restart.
"""

_FILES = {
    "/etc/llamactl/config.toml": "For all users of the machine, and for the system service.",
    "~/.config/llamactl/config.toml": "For a daemon that a user starts.",
}

EXAMPLE = """\
[models]
directories = ["~/models", "/srv/models"]
default = "qwen3-8b-q4_k_m"

[llama_server]
ctx_size = 8192

[residency]
ttl = "30m"
memory = "24GiB"
"""


def toml() -> str:
    keys = describe()
    about = [*text(_ABOUT), ".Pp", *text(_VALUES), ".Pp", *text(_CHANGES)]
    body = [".Sh DESCRIPTION", *about, ".Sh SECTIONS"]
    for section in SECTIONS:
        here = [_item(key) for key in keys if key.section == section]
        body += [f".Ss Section {section}", *text(about_section(section)), *items(here)]
    body += [".Sh FILES", *items([(f"Pa {characters(path)}", text(what)) for path, what in _FILES.items()])]
    body += [".Sh EXAMPLES", *example(EXAMPLE)]
    return page(
        "llamactl.toml",
        5,
        "configuration of llamactl and the language models it runs",
        body,
        ["llamactl 1", "llamactl-config 1", "llamactld 8"],
    )


def _item(key: Described) -> tuple[str, list[str]]:
    may_be = f"It may be {key.may_be}."
    default = "Not set by default." if key.default is None else f"Default: {key.written_default}."
    restart = "Needs a restart." if key.needs_restart else ""
    return f"Ic {key.name}", text(f"{key.about} {may_be} {default} {restart}")
