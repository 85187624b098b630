"""What it takes to know which models there are."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from llamactl.catalogue import Catalogue
from llamactl.config.directories import Directories
from llamactl.config.sections import Config
from llamactl.core.scheduler import Limits
from llamactl.daemon.control.models import ModelCalls
from llamactl.daemon.discovery import Discovery
from llamactl.daemon.launch import Launch
from llamactl.hub import Hub
from llamactl.rpc.calls import ListModels
from llamactl.store import Database
from llamactl.supervisor import Supervisor
from tests.catalogue.peak import peak

from .headers import FILES, content, seconds
from .place import ROOT, Place
from .report import show, verdict

MODELS = 1000
ROUNDS = 20


class Scans(msgspec.Struct):
    """Seconds of the first scan of all files, those of the processor in it; of scans after it, and after a restart."""

    cold: float
    processor: float
    again: list[float]
    restarted: float
    peak: int


def catalogue(place: Place, names: Sequence[str]) -> None:
    """A scan of 200 files, cold and once they are known; the list of 1,000 models in the daemon."""
    with tempfile.TemporaryDirectory(dir=place.directory) as directory:
        models = Path(directory) / "models"
        models.mkdir()
        first = models / "0-q4_0.gguf"
        first.write_bytes(content())
        for number in range(1, FILES):
            shutil.copyfile(first, models / f"{number}-q4_0.gguf")
        for path in models.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        line = [sys.executable, "-m", "tests.benchmarks.catalogue", directory]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, timeout=120, check=True)
        scans = msgspec.json.decode(done.stdout, type=Scans)
        listing = anyio.run(listed, Path(directory))
    again = statistics.median(scans.again)
    show(
        f"{FILES} files of 150,000 tokens, scanned into the catalogue",
        ["", "s"],
        [
            ("cold", scans.cold),
            ("of the processor", scans.processor),
            ("unchanged", again),
            ("unchanged, after a restart", scans.restarted),
        ],
    )
    verdict("seconds, cold", scans.cold, 4)
    verdict("seconds, unchanged", again, 0.2)
    verdict("seconds, unchanged, after a restart", scans.restarted, 0.2)
    verdict("MB of the process at most", scans.peak / 1e6, 100)
    show(f"the list of {MODELS:,} models", ["", "ms"], [("in the daemon", 1e3 * listing)])
    verdict("ms", 1e3 * listing, 30)


def scanned(place: Path) -> Scans:
    with Database(place / "db") as db:
        known = Catalogue(db.models, lambda event: None)
        worked = time.process_time()
        cold = seconds(lambda: known.scan([place / "models"]))
        worked = time.process_time() - worked
        again = [seconds(lambda: known.scan([place / "models"])) for _ in range(5)]
        assert len(known.models()) == FILES
        restarted = Catalogue(db.models, lambda event: None)
        return Scans(cold, worked, again, seconds(lambda: restarted.scan([place / "models"])), peak())


async def listed(place: Path) -> float:
    """Seconds from the call to its answer in JSON; models know as much of themselves as any."""
    config = Config(directories=Directories(config_file=place, data=place, log=place, runtime=place))
    with Database(place / "db") as db:
        [model, *_] = db.models.all()
        db.models.put(*(msgspec.structs.replace(model, name=f"{n}", path=f"/{n}") for n in range(MODELS - FILES)))
        hub = Hub()
        known = Catalogue(db.models, hub.publish)
        assert len(known.models()) == MODELS
        launch = Launch(lambda: config, dict)
        supervisor = Supervisor(launch, hub, Limits(budget={}), lambda model: {})
        calls = ModelCalls(known, supervisor, launch, Discovery(lambda: config, known))
        taken = []
        for _ in range(ROUNDS):
            begun = anyio.current_time()
            msgspec.json.encode(await calls.handlers[ListModels](ListModels()))
            taken.append(anyio.current_time() - begun)
        return statistics.median(taken)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(scanned(Path(sys.argv[1]))))
