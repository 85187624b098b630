"""Events over a daemon that is killed: what was seen is kept, and who comes back goes on where it was."""

import sqlite3
from contextlib import closing, suppress

from llamactl.core.errors import Unreachable
from llamactl.core.events import CatalogueChanged, Numbered
from llamactl.rpc.calls import AliasModel
from llamactl.rpc.client import Client
from tests.e2e.conftest import Begin
from tests.e2e.running import PATIENCE, Home

KILLS = 2
"""Those in the middle of a write are many more in `tests/daemon/test_journal.py`."""


def kept(home: Home) -> list[int]:
    with closing(sqlite3.connect(home.place / "data" / "llamactl" / "llamactl.db")) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM events ORDER BY id")]


def test_a_watcher_goes_on_after_each_kill(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    last, seen = 0, list[Numbered]()
    for round in range(KILLS):
        with Client([str(home.runtime / "control.sock")], PATIENCE) as client:
            _, notices = client.watch(since=last)
            home.tell(AliasModel("alpha", (f"alias-{round}",)))
            with suppress(Unreachable):
                for notice in notices:
                    assert isinstance(notice, Numbered), "nothing is lost"
                    assert notice.id == last + 1
                    last = notice.id
                    seen.append(notice)
                    changes = [each for each in seen if isinstance(each.event, CatalogueChanged) and each.event.changed]
                    if len(changes) > round:
                        daemon.process.kill()  # the stream ends
        daemon.end()
        assert last in kept(home)
        daemon = begin()
    numbers = kept(home)
    assert numbers == list(range(1, len(numbers) + 1))
    found = home.json("events", "--since", "0")["items"]
    assert [each["id"] for each in found[: len(seen)]] == [each.id for each in seen] == list(range(1, last + 1))
    services = [line.split()[3:] for line in home.run("events", "--type", "service", "-n", "3").stdout.splitlines()]
    assert all(line[0] == "service" for line in services) and len(services) == 3
