"""`llamactl top` on a real terminal: what is seen in it, what keys do, and how it leaves the terminal."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Begin
from tests.e2e.running import Home, until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not there")

COLOUR = re.compile(r"\x1b\[[39][0-7]m")
TOP = f"{sys.executable} -m llamactl"


class Terminal:
    """A shell in tmux."""

    def __init__(self, home: Home, place: Path) -> None:
        self._socket = place / "t"
        self._env = {**home.env, "TERM": "xterm-256color"}
        self.do("-f/dev/null", "new-session", "-d", "-c", str(place), "-x80", "-y24", "bash --norc --noprofile")
        self.server = int(self.do("display", "-p", "#{pid}"))

    def do(self, *command: str) -> str:
        asked = ["tmux", "-u", "-S", str(self._socket), *command]
        done = subprocess.run(asked, env=self._env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    @property
    def text(self) -> str:
        return self.do("capture-pane", "-p")

    @property
    def flags(self) -> str:
        """Is it the alternate screen, and is the cursor shown?"""
        return self.do("display", "-p", "#{alternate_on}#{cursor_flag}").strip()

    def type(self, text: str) -> None:
        self.do("send-keys", "-l", text)

    def await_text(self, *texts: str) -> None:
        until(lambda: all(text in self.text for text in texts))

    def run(self, command: str) -> None:
        self.do("send-keys", "clear; stty -g > before; " + command + '; echo "ended"=$?; stty -g > after', "Enter")

    def ended(self, code: int, place: Path) -> None:
        """The shell has it back as it was."""
        self.await_text(f"ended={code}")
        until(lambda: (place / "after").exists() and (place / "after").read_text())
        assert (place / "after").read_text() == (place / "before").read_text()
        assert self.flags == "01"
        (place / "after").unlink()


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        terminal = Terminal(home, Path(place))
        terminal.do("send-keys", f"cd {home.place}", "Enter")
        yield terminal
        terminal.do("kill-server")
        until(lambda: not psutil.pid_exists(terminal.server))


def test_top(home: Home, begin: Begin, terminal: Terminal) -> None:
    daemon = begin(metrics_interval="1s")
    for name in ("alpha", "beta"):
        home.add(name)
    terminal.run(f"{TOP} top")
    terminal.await_text("0 of 2 ready", "cpu ", "memory ", "alpha ", "beta ", "serves on http", "q quit")
    assert terminal.flags == "10", "the alternate screen, without a cursor"

    assert COLOUR.search(terminal.do("capture-pane", "-pe"))
    terminal.type("js")
    until(lambda: daemon.state("beta") == "ready")
    terminal.await_text("1 of 2 ready", "beta: ", "▶ beta")
    for width, height in ((120, 40), (200, 50), (80, 24)):
        terminal.do("resize-window", f"-x{width}", f"-y{height}")
        until(lambda: "q quit" in terminal.text.splitlines()[-1] and len(terminal.text.splitlines()) == height)  # noqa: B023
        assert "RESTARTS" in terminal.text or width == 80

    terminal.type("/alp")
    terminal.await_text("filter: alp_")
    assert "▶ beta" not in terminal.text
    terminal.do("send-keys", "Escape")
    terminal.type("p")
    terminal.await_text("PAUSED", "▶ beta")
    terminal.type("x")
    until(lambda: daemon.state("beta") == "stopped")
    assert "1 of 2 ready" in terminal.text, "the picture stands still"
    terminal.type("p")
    terminal.await_text("0 of 2 ready")
    terminal.type("q")
    terminal.ended(0, home.place)

    terminal.run(f"NO_COLOR=1 {TOP} -H {daemon.url} top")
    terminal.await_text("0 of 2 ready", "▶ alpha")
    assert not COLOUR.search(terminal.do("capture-pane", "-pe"))
    terminal.type("s")
    terminal.await_text("takes a key with the scope control")
    terminal.do("send-keys", "C-c")
    terminal.ended(130, home.place)


def test_top_outlives_the_daemon(home: Home, begin: Begin, terminal: Terminal) -> None:
    daemon = begin()
    terminal.run(f"{TOP} top")
    terminal.await_text("0 of 0 ready", "no models")
    daemon.end()
    terminal.await_text("trying again")
    begin()
    home.add("alpha")
    terminal.await_text("▶ alpha")
    (top,) = (one for one in home.processes("llamactl") if one.cmdline()[-1] == "top")
    top.terminate()
    terminal.ended(143, home.place)
