"""A real systemd, apart from the one of this machine, if there is one."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from tests.e2e.running import PATIENCE, Home, fake_engine, until

BOOT = Path(__file__).with_name("boot.sh")
CHECKOUT = Path(__file__).parents[2]


class CannotBoot(Exception):
    """This machine does not let us; says why."""


class Booted:
    """systemd, in namespaces, with its standard streams in files in `place`. Raises `CannotBoot`."""

    manager: ClassVar[Literal["user", "system"]]
    spaces: ClassVar[tuple[str, ...]] = ("--mount", "--pid", "--cgroup")

    def __init__(self, place: Path, env: dict[str, str], *reachable: Path) -> None:
        self._env = env
        self._group = f"llamactl-tests-{os.getpid()}"
        self._log = place / "systemd.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BOOT, self.manager, self._group, *reachable],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(lambda: self._process.poll() is not None or self._running(), pause=0.05)
            if self._process.poll() is not None:
                raise CannotBoot(self._log.read_text().strip().rpartition("\n")[2])
        except BaseException:
            self.end()
            raise

    def _begun(self) -> bool:
        """Whether there is something to ask whether it runs."""
        raise NotImplementedError

    def _running(self) -> bool:
        if not self._begun():
            return False
        done = self.inside("systemctl", f"--{self.manager}", "is-system-running", check=False)
        return done.stdout.strip() in ("running", "degraded")  # by units of others, which are none of our business

    @property
    def first(self) -> int | None:
        """The process that is the first inside, by the number that it has outside."""
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(children[0]) if children else None

    def inside(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it where this systemd is."""
        user = ["--user", "--preserve-credentials"] if os.getuid() else []
        done = subprocess.run(
            ["nsenter", f"--target={self.first}", *user, *self.spaces, *command],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()}"
        return done

    def llamactl(self, *words: str) -> str:
        return self.inside(sys.executable, "-m", "llamactl", *words).stdout

    def systemctl(self, *words: str) -> str:
        return self.inside("systemctl", f"--{self.manager}", *words).stdout

    def until(self, **properties: str) -> None:
        """Return when the unit has these properties. Each look takes processes of its own, so there are not many."""
        until(lambda: all(self.show(name) == value for name, value in properties.items()), pause=0.1)

    def show(self, name: str, unit: str = "llamactl.service") -> str:
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def processes(self) -> list[str]:
        """The command lines in the control group of the unit."""
        status = ("status", "--no-pager", "--full", "llamactl.service")
        lines = self.inside("systemctl", f"--{self.manager}", *status, check=False)
        group = lines.stdout.partition("CGroup:")[2].partition("\n\n")[0]
        return [line.strip(" ├└─│") for line in group.splitlines()[1:]]

    def log(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        self._process.send_signal(signal.SIGKILL)  # and with it the first process of the namespace, and so all of them
        self._process.wait()
        for root in Path("/sys/fs/cgroup").glob(f"**/{self._group}"):
            until(partial(_removed, root))


class BootedUser(Booted):
    """That of a user, whose home is `home`."""

    manager = "user"

    def __init__(self, home: Home) -> None:
        self.home = home
        home.env |= {f"LLAMACTL_{name.upper()}": value for name, value in fake_engine().items()}
        # It ends with its namespace, so nobody need look for what it starts; the tests put an end to it themselves.
        del home.env["STARTED_BY_TESTS"]
        self.stderr = home.place / "stderr"
        super().__init__(home.place, home.env)

    def _begun(self) -> bool:
        return (self.home.place / "run" / "systemd" / "private").exists()

    def log(self) -> str:
        return super().log() + self.stderr.read_text()


class BootedSystem(Booted):
    """That of a system. Its files are below `root`, and what every user of it can reach is this checkout."""

    manager = "system"
    spaces = (*Booted.spaces, "--net", "--uts", "--ipc")

    def __init__(self, place: Path) -> None:
        if os.getuid():
            raise CannotBoot("only root can be the root of a system that has other users")
        packages = [path for path in sys.path if path.endswith("site-packages")]
        installed = {CHECKOUT, *map(Path, (sys.base_prefix, sys.prefix, *packages))}
        self.needs = sorted(path for path in installed if not installed & set(path.parents) and path.parts[1] != "usr")
        super().__init__(place, {"PATH": os.environ["PATH"], "HOME": "/root"}, *self.needs)

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.first}/root")

    def _begun(self) -> bool:
        return self.first is not None and (self.root / "run" / "systemd" / "private").exists()

    def write(self, path: str, text: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def log(self) -> str:
        said = self.root / "var" / "log" / "llamactl.stderr"
        return super().log() + (said.read_text() if said.exists() else "")


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
