"""`config.…`: what counts, and the file that is written."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from llamactl.config.load import load
from llamactl.core.errors import BadRequest, Refused
from llamactl.core.events import ConfigChanged
from llamactl.daemon.control.config import ConfigCalls
from llamactl.daemon.reload import Current
from llamactl.hub import Hub
from llamactl.rpc.calls import Configuration, ConfigWritten, SetConfig, ShowConfig

pytestmark = pytest.mark.anyio


class Desk:
    """What a daemon has of its configuration; `refuses` makes one unusable that has these values."""

    def __init__(self, place: Path, text: str = "") -> None:
        self.file = place / "config.toml"
        self.file.write_text(text)
        self.refuses: dict[str, Any] = {}
        self.hub = Hub()
        self.current = Current(self._read(), self._read, self.hub)
        self.calls = ConfigCalls(self.current)

    def _read(self) -> Any:
        config = load(self.file, environment={}, system_file=self.file.parent / "none")
        if config.http.tls_key is not None:
            raise Refused("a key without a certificate")
        return config

    async def set(self, *unset: str, **set: Any) -> ConfigWritten:
        answer = await self.calls.handlers[SetConfig](
            SetConfig({name.replace("__", "."): value for name, value in set.items()}, unset)
        )
        assert isinstance(answer, ConfigWritten)
        return answer

    async def shown(self) -> Configuration:
        """As it comes over the wire."""
        answer = await self.calls.handlers[ShowConfig](ShowConfig())
        return msgspec.json.decode(msgspec.json.encode(answer), type=Configuration)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "# mine\n[residency]\nttl = '9m' # long\n")


async def test_what_counts_is_shown_but_for_secrets(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "[alerts]\nwebhook = 'http://x/secret'\n[llama_server]\nhf_token = 'hf_secret'\n")
    answer = await desk.shown()
    rows = {row.key: row for row in answer.keys}
    assert (rows["residency.ttl"].value, rows["residency.ttl"].text) == (900.0, '"15m"')
    assert rows["metrics.tiers"].value == ["1m:1d", "15m:30d"]
    for secret in ("alerts.webhook", "llama_server.hf_token"):
        assert (rows[secret].value, rows[secret].text) == (None, "(hidden)")
    assert b"x/secret" not in msgspec.json.encode(answer)
    assert rows["llama_server.threads"].value is None
    assert answer.file == str(desk.file)


async def test_what_is_written_counts_at_once_and_the_rest_of_the_file_stays(desk: Desk) -> None:
    answer = await desk.set(residency__ttl="20m", residency__max_models=3, models__directories=["/m"])
    assert set(answer.changed) == {"residency.ttl", "residency.max_models", "models.directories"}
    assert desk.file.read_text().startswith('# mine\n[residency]\nttl = "20m" # long\n')
    assert (desk.current().residency.ttl, desk.current().models.directories) == (1200.0, ("/m",))
    answer = await desk.set("residency.max_models", "residency.drain")
    assert (answer.changed, desk.current().residency.max_models) == (("residency.max_models",), 0)


async def test_what_is_shown_may_be_set_again(desk: Desk) -> None:
    before = desk.current()
    values = {row.key.replace(".", "__"): row.value for row in (await desk.shown()).keys if row.value is not None}
    assert await desk.set(**values) == ConfigWritten(file=str(desk.file), written=True)
    assert await desk.set(**values) == ConfigWritten(file=str(desk.file)), "it is there already"
    assert desk.current() == before


async def test_what_waits_for_a_restart_is_told(desk: Desk) -> None:
    answer = await desk.set(http__port=9000)
    assert (answer.changed, answer.restart_for) == ((), ("http.port",))
    assert desk.current().http.port == 8134


async def test_a_variable_that_wins_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACTL_RESIDENCY_TTL", "1m")
    assert (await desk.set(residency__ttl="5m")).hidden_by == ("LLAMACTL_RESIDENCY_TTL",)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("http__prt", 1, "unknown key http.prt"),
        ("nothing", 1, "unknown key nothing"),
        ("http__port", 70_000, "http.port: expected a whole number from 0 to 65535"),
        ("http__port", [1], "http.port: expected"),
        ("residency__ttl", -5, "residency.ttl: "),
        ("models__directories", {"a": 1}, "models.directories: expected a list"),
        ("llama_server__temperature", "hot", "llama_server.temperature: "),
        ("http__host", "", "http.host: "),
    ],
)
async def test_what_is_no_value_changes_nothing(desk: Desk, key: str, value: Any, said: str) -> None:
    before = desk.file.read_text()
    with pytest.raises(BadRequest) as refused:
        await desk.set(residency__max_models=2, **{key: value})
    assert refused.value.message.startswith(said)
    assert desk.file.read_text() == before and desk.current().residency.max_models == 0


async def test_what_is_set_and_unset_at_once_is_refused(desk: Desk) -> None:
    with pytest.raises(BadRequest, match=r"residency.ttl cannot be set and unset"):
        await desk.set("residency.ttl", residency__ttl="1m")


async def test_what_a_daemon_could_not_use_is_not_left_in_the_file(desk: Desk) -> None:
    before = desk.file.read_text()
    with pytest.raises(Refused, match="without a certificate"):
        await desk.set(http__tls_key="/key.pem", residency__max_models=2)
    assert desk.file.read_text() == before and desk.current().residency.max_models == 0
    await desk.set(residency__max_models=1)
    with desk.hub.watch() as watcher:
        await desk.set(residency__max_models=4)
        changed = (await anext(watcher)).event
        assert changed == ConfigChanged(("residency.max_models",), ())


async def test_a_file_that_is_not_there_is_made_for_its_owner(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.file.unlink()
    desk.current._read = lambda: load(None, {"LLAMACTL_CONFIG": str(desk.file)}, tmp_path / "none")
    await desk.set(residency__ttl="5m")
    assert desk.file.stat().st_mode & 0o777 == 0o600
