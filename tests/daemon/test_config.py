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
from llamactl.rpc.calls import (
    CALLS,
    CheckConfig,
    Configuration,
    ConfigWritten,
    ImportConfig,
    ReadConfig,
    SetConfig,
    ShowConfig,
    WriteConfig,
)

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

    async def ask(self, call: Any) -> Any:
        """The answer as it comes over the wire."""
        answer = await self.calls.handlers[type(call)](call)
        return msgspec.json.decode(msgspec.json.encode(answer), type=call.answer_type())

    async def shown(self) -> Configuration:
        shown: Configuration = await self.ask(ShowConfig())
        return shown


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


# --- the text of the file ------------------------------------------------------------------------

SECRET = "[alerts]\nwebhook = 'http://x/hunter2' # mine\n"


def test_who_may_not_change_the_file_may_not_read_it() -> None:
    said = {method: call.scope for method, call in CALLS.items() if method.startswith("config.")}
    assert {method for method, scope in said.items() if scope != "admin"} == {"config.show"}


async def test_the_text_is_read_and_written_without_its_secrets(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SECRET)
    found = await desk.ask(ReadConfig())
    assert found.text == SECRET.replace("'http://x/hunter2'", '"(hidden 1)"') and found.file == str(desk.file)
    after = found.text.replace("# mine", "# ours") + "[residency]\nttl = '5m'\n"
    done = await desk.ask(WriteConfig(text=after, revision=found.revision))
    assert (done.changed, done.written) == (("residency.ttl",), True)
    assert desk.file.read_text() == SECRET.replace("# mine", "# ours") + "[residency]\nttl = '5m'\n"
    assert desk.current().residency.ttl == 300.0


async def test_what_somebody_else_wrote_meanwhile_stays(desk: Desk) -> None:
    found = await desk.ask(ReadConfig())
    desk.file.write_text("# other\n")
    with pytest.raises(Refused, match="changed by somebody else"):
        await desk.ask(WriteConfig(text="# mine\n", revision=found.revision))
    assert desk.file.read_text() == "# other\n"


async def test_a_text_that_is_wrong_is_not_written(desk: Desk) -> None:
    found, before = await desk.ask(ReadConfig()), desk.file.read_text()
    text = "[http]\nprot = 1\nport = 'x'\n[http2]\n"
    with pytest.raises(BadRequest) as refused:
        await desk.ask(WriteConfig(text=text, revision=found.revision, named="/tmp/mine.toml"))
    said = refused.value.message.splitlines()
    assert [line.partition(":")[0] for line in said] == [f"/tmp/mine.toml, line {number}" for number in (2, 4, 3)]
    with pytest.raises(Refused, match="without a certificate"):
        await desk.ask(WriteConfig(text="[http]\ntls_key = '/k'\n", revision=found.revision))
    with pytest.raises(BadRequest, match="stands for no secret"):
        await desk.ask(WriteConfig(text='[alerts]\nwebhook = "(hidden 1)"\n', revision=found.revision))
    assert desk.file.read_text() == before and desk.current().residency.ttl == 540.0


async def test_a_file_that_is_broken_can_be_mended(desk: Desk) -> None:
    desk.file.write_text("[residency\nttl = '5m'\n[alerts]\nwebhook = 'http://hunter2\n")
    found = await desk.ask(ReadConfig())
    assert "hunter2" not in found.text
    await desk.ask(WriteConfig(text="[residency]\nttl = '5m'\n", revision=found.revision))
    assert desk.current().residency.ttl == 300.0


async def test_a_text_that_is_not_there_yet(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.file.unlink()
    desk.current._read = lambda: load(None, {"LLAMACTL_CONFIG": str(desk.file)}, tmp_path / "none")
    found = await desk.ask(ReadConfig())
    assert found.text is None and not (await desk.shown()).exists
    await desk.ask(WriteConfig(text="[residency]\nttl = '5m'\n", revision=found.revision))
    assert (await desk.shown()).exists and desk.current().residency.ttl == 300.0
    with pytest.raises(Refused, match="changed by somebody else"):
        await desk.ask(WriteConfig(text="", revision=found.revision))


async def test_is_it_valid(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SECRET)
    before = desk.file.read_bytes()
    assert (await desk.ask(CheckConfig())).files == (str(desk.file),)
    text = '[alerts]\nwebhook = "(hidden 1)"\n'
    assert (await desk.ask(CheckConfig(text=text, named="/mine"))).files == ("/mine",)
    with pytest.raises(BadRequest, match="line 2: unknown key http"):
        await desk.ask(CheckConfig(text="[http]\nprot = 1\n", named="/mine"))
    assert desk.file.read_bytes() == before
    desk.file.write_text("[http]\nport = 'x'\nprot = 1\n")
    with pytest.raises(BadRequest) as refused:
        await desk.ask(CheckConfig())
    assert refused.value.message.count(f"{desk.file}, line ") == 2
    desk.file.write_text("[http]\ntls_key = '/k'\n")
    with pytest.raises(Refused, match="without a certificate"):
        await desk.ask(CheckConfig())


async def test_an_import_goes_into_the_file(desk: Desk) -> None:
    text = '{"gpu_layers": 7, "basePath": "mine", "serverPath": "/nowhere/x", "hf_token": "hunter2"}'
    call = ImportConfig(text=text, named="/far/away/llama-server-config.json")
    tried = await desk.ask(msgspec.structs.replace(call, dry_run=True))
    assert not tried.written.written and "gpu" not in desk.file.read_text()
    done = await desk.ask(call)
    assert (
        tried.keys
        == done.keys
        == {
            "llama_server.gpu_layers": 7,
            "models.directories": [str(desk.file.parent / "mine")],
            "llama_server.hf_token": "(hidden)",
        }
    )
    assert b"hunter2" not in msgspec.json.encode(done) and "hunter2" in desk.file.read_text()
    assert [note.outcome for note in done.notes] == ["taken", "translated", "left", "taken"]
    assert done.written.written and msgspec.structs.asdict(desk.current().llama_server)["gpu_layers"] == 7
    with pytest.raises(BadRequest, match=r"^/far/away/x\.txt: not a file that can be imported"):
        await desk.ask(ImportConfig(text="x", named="/far/away/x.txt"))


async def test_an_import_is_not_told_what_the_daemon_has_in_its_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    text = "models:\n  ${env.TOKEN}: {cmd: 'llama-server -m /${env.TOKEN}'}\n  b: {cmd: '${env.TOKEN} -m /b'}\n"
    done = await desk.ask(ImportConfig(text=text, named="swap.yaml"))
    assert b"hunter2" not in msgspec.json.encode(done)
    assert "TOKEN is not set" in "".join(note.why for note in done.notes)
