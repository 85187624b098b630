"""Real shells on a pseudo-terminal, as somebody types in them."""

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llamactl.cli.documents import ROOT
from llamactl.config.sockets import SYSTEM

COMPLETIONS = ROOT / "completions"
PATIENCE = 20.0
"""Seconds; a bound for what is awaited, generous for a busy machine."""

_COMMANDS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
# Instead of llamactl there is a function that shows what it was given.
_SETUP = {
    "bash": """\
bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'; bind 'set completion-display-width 1'
bind 'set completion-query-items 0'; bind 'set page-completions off'; bind 'set enable-bracketed-paste off'
set -u; PS1=
source llamactl.bash
llamactl() { printf '=>'; printf '[%s]' "$@"; echo .; }
""",
    "zsh": """\
unsetopt prompt_cr prompt_sp beep zle_bracketed_paste; PROMPT=; unset zle_bracketed_paste
fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; LISTMAX=0
llamactl() { printf '=>'; printf '[%s]' "$@"; echo . }
""",
    "fish": """\
function fish_prompt; end; function fish_greeting; end; set -g fish_autosuggestion_enabled 0
source llamactl.fish
function llamactl; printf '=>'; printf '[%s]' $argv; echo .; end
""",
}
_CONTROL = re.compile(r"\x1b\[[0-9;?>=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07]*\x07|[\x07\x0e\x0f]")


def is_here(shell: str) -> bool:
    return shutil.which(shell) is not None


class Shell:
    """One of them, with `llamactl` as a function that says what it got."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self.screen = ""
        """What was seen since the last thing was typed."""

    def type(self, keys: str, until: str) -> str:
        """Type, and give what the screen shows until the pattern is seen; without what moves a cursor."""
        self.screen = ""
        os.write(self._terminal, keys.encode())
        end = time.monotonic() + PATIENCE
        while not (found := re.search(until, self.screen)):
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"not seen after {keys!r}: {until!r} in {self.screen!r}"
            self.screen = _CONTROL.sub("", self.screen + os.read(self._terminal, 65536).decode(errors="replace"))
        return found[0]

    def tell(self, line: str) -> None:
        """A command of the shell's own."""
        self.type(f"{line}; echo to''ld\n", r"told\r?\n")

    def gives(self, keys: str) -> list[str]:
        """What llamactl gets when this is typed, tabulators and all, and then return."""
        said = self.type(f"{keys}\n", r"=>.*\]\.\r?\n")
        return re.findall(r"\[(.*?)\](?=\[|\.\r?\n)", said)


@contextmanager
def opened(name: str, home: Path) -> Iterator[Shell]:
    """It works in `home`, and finds the daemon's files in `home/run/llamactl`."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_RUNTIME_DIR": f"{home}/run",
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_DATA_HOME": f"{home}/data",
            "TERM": "dumb",
            "COLUMNS": "300",
            "LC_ALL": "C.UTF-8",
        }
        os.execvpe(name, _COMMANDS[name], environment)
    try:
        shell = Shell(terminal)
        for file in COMPLETIONS.iterdir():  # the machine's own daemon is none of ours
            (home / file.name).write_text(file.read_text().replace(SYSTEM, f"{home}/system"))
        setup = home / f"setup.{name}"
        setup.write_text(_SETUP[name])
        shell.tell(f"source {setup}")
        yield shell
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
