"""A real systemd that takes itself for the manager of a user, apart from the one of this machine, if there is one."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.e2e.running import PATIENCE, Home, fake_engine, until

BOOT = Path(__file__).with_name("boot.sh")


class CannotBoot(Exception):
    """This machine does not let us; says why."""


class Booted:
    """systemd with `home` for its user. Raises `CannotBoot`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        home.env |= {f"LLAMACTL_{name.upper()}": value for name, value in fake_engine().items()}
        # It ends with its namespace, so nobody need look for what it starts; the tests put an end to it themselves.
        del home.env["STARTED_BY_TESTS"]
        self._group = f"llamactl-tests-{os.getpid()}"
        self.stderr = home.place / "stderr"
        self._log = home.place / "systemd.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BOOT, self._group], env=home.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            until(lambda: self._process.poll() is not None or self._running(), pause=0.05)
            if self._process.poll() is not None:
                raise CannotBoot(self._log.read_text().strip().rpartition("\n")[2])
        except BaseException:
            self.end()
            raise

    def _running(self) -> bool:
        if not (self.home.place / "run" / "systemd" / "private").exists():
            return False
        done = self.inside("systemctl", "--user", "is-system-running", check=False)
        return done.stdout.strip() in ("running", "degraded")  # by units of others, which are none of our business

    def inside(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it where this systemd is."""
        parent = self._process.pid
        [first] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        user = ["--user", "--preserve-credentials"] if os.getuid() else []
        done = subprocess.run(
            ["nsenter", f"--target={first}", *user, "--mount", "--pid", "--cgroup", *command],
            env=self.home.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        return done

    def llamactl(self, *words: str) -> None:
        self.inside(sys.executable, "-m", "llamactl", *words)

    def systemctl(self, *words: str) -> None:
        self.inside("systemctl", "--user", *words)

    def until(self, **properties: str) -> None:
        """Return when the unit has these properties. Each look takes processes of its own, so there are not many."""
        until(lambda: all(self.show(name) == value for name, value in properties.items()), pause=0.1)

    def show(self, name: str, unit: str = "llamactl.service") -> str:
        return self.inside("systemctl", "--user", "show", "--value", f"--property={name}", unit).stdout.strip()

    def processes(self) -> list[str]:
        """The command lines in the control group of the unit."""
        lines = self.inside("systemctl", "--user", "status", "--no-pager", "--full", "llamactl.service", check=False)
        group = lines.stdout.partition("CGroup:")[2].partition("\n\n")[0]
        return [line.strip(" ├└─│") for line in group.splitlines()[1:]]

    def log(self) -> str:
        return self._log.read_text() + self.stderr.read_text()

    def end(self) -> None:
        self._process.send_signal(signal.SIGKILL)  # and with it the first process of the namespace, and so all of them
        self._process.wait()
        for root in Path("/sys/fs/cgroup").glob(f"**/{self._group}"):
            until(partial(_removed, root))


def _removed(group: Path) -> bool:
    try:
        for inner in [path for path in group.iterdir() if path.is_dir()]:
            _removed(inner)
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # somebody in there has not quite ended
        return False
    return True
