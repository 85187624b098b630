"""A daemon that keeps an eye on directories: files come, grow, move and go."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llamactl.core.events import CatalogueChanged, Numbered
from llamactl.rpc.calls import ListModels, ModelRow, ShowModel
from llamactl.rpc.client import Client
from tests.catalogue.files import gguf
from tests.catalogue.models import language_model, projector
from tests.e2e.conftest import Begin
from tests.e2e.running import PATIENCE, Home, until


class Seen:
    """What the daemon tells of its catalogue from now on."""

    def __init__(self, client: Client) -> None:
        _, self._notices = client.watch()

    def next(self) -> CatalogueChanged:
        while True:
            notice = next(self._notices)
            if isinstance(notice, Numbered) and isinstance(notice.event, CatalogueChanged):
                return notice.event


@contextmanager
def watching(home: Home) -> Iterator[Seen]:
    with Client([str(home.runtime / "control.sock")], PATIENCE) as client:
        yield Seen(client)


def rows(home: Home) -> dict[str, ModelRow]:
    return {row.name: row for row in home.tell(ListModels())}


def test_files_come_move_and_go_and_the_catalogue_follows(home: Home, begin: Begin) -> None:
    """In a directory that is not there when the daemon starts, nor is the one above it."""
    models = home.place / "late" / "models"
    daemon = begin(models_directories=str(models))
    with watching(home) as seen:
        path = language_model(models / "deep" / "er" / "SmolLM2.Q4_1.gguf")
        assert seen.next() == CatalogueChanged(added=("smollm2-q4_1",))
        home.run("models", "set", "smollm2-q4_1", "threads=2")
        assert seen.next() == CatalogueChanged(changed=("smollm2-q4_1",))

        new = models / "elsewhere" / "other.gguf"
        new.parent.mkdir()
        path.rename(new)
        assert seen.next() == CatalogueChanged(changed=("smollm2-q4_1",))
        assert rows(home)["smollm2-q4_1"].path == str(new)

        other = projector(new.parent / "mmproj-F16.gguf")
        assert seen.next() == CatalogueChanged(changed=("smollm2-q4_1",))
        detail = home.json("models", "show", "smollm2-q4_1")
        assert {row["name"]: (row["value"], row["origin"]) for row in detail["settings"]} == {
            "threads": (2, "model"),
            "mmproj": (str(other), "found beside it"),
        }
        assert detail["facts"]["modalities"] == ["text", "image"]

        shutil.rmtree(models)
        assert seen.next() == CatalogueChanged(missing=("smollm2-q4_1",))
        assert rows(home)["smollm2-q4_1"].missing
        assert home.run("models").stdout.split()[-1] == "missing"

        language_model(models / "again.gguf")
        assert seen.next() == CatalogueChanged(added=("again",))
    until(lambda: "models new: smollm2-q4_1" in daemon.log() and "models missing: smollm2-q4_1" in daemon.log())


def test_what_is_still_being_copied_is_left_until_it_is_whole(home: Home, begin: Begin) -> None:
    models = home.place / "models"
    models.mkdir()
    daemon = begin(models_directories=str(models))
    whole = language_model(home.place / "whole.gguf", tokens=2000).read_bytes()
    with watching(home) as seen, (models / "slow.gguf").open("wb", buffering=0) as copy:
        for piece in range(8):
            copy.write(whole[piece * len(whole) // 8 : (piece + 1) * len(whole) // 8])
            gguf(models / f"{piece}.gguf")  # so that it is looked at again and again
            if piece < 7:
                time.sleep(0.4)  # it is a slow copy: that is what is tried here
        copy.close()
        added: tuple[str, ...] = ()
        while "slow" not in added:
            event = seen.next()
            assert not event.changed, "it was taken before it was whole"
            added += event.added
    assert rows(home)["slow"].vocabulary == 2000
    assert "not usable" not in daemon.log()


def test_models_are_found_at_the_start_and_configured_patterns_count(home: Home, begin: Begin) -> None:
    models = home.place / "data" / "llamactl" / "models"
    for name in ("a", "b-embedding", "old/c", "d"):
        language_model(models / f"{name}.gguf")
    gguf(models / "broken.gguf", 5)
    daemon = begin(models_exclude="*embedding*:old", models_watch="false")
    until(lambda: set(rows(home)) == {"a", "d"})
    until(lambda: "not usable" in daemon.log())
    assert "broken.gguf: it is truncated (5 bytes)" in daemon.log()
    assert home.run("models", "scan", str(models / "old")).stdout == "+ c\n"


def test_a_name_may_have_slashes_and_colons_everywhere(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha")
    home.run("models", "rename", "alpha", "org/alpha:q4")
    home.run("models", "alias", "org/alpha:q4", "org/a:1", "b")
    for name in ("org/alpha:q4", "org/a:1", "b"):
        assert daemon.chat(name).status == 200
        assert home.json("models", "show", name)["name"] == "org/alpha:q4"
    assert home.run("stop", "org/a:1").returncode == 0
    home.run("models", "alias", "b", "org/a:1", "--rm")
    assert daemon.chat("org/a:1").status == 404
    [listed] = daemon.ask("/v1/models").json()["data"]
    assert (listed["id"], listed["aliases"]) == ("org/alpha:q4", ["b"])


def test_what_is_verified(home: Home, begin: Begin) -> None:
    begin()
    path = language_model(home.place / "a.gguf")
    home.run("models", "add", str(path))
    home.run("models", "verify", "a")
    path.write_bytes(path.read_bytes() + b"more")
    checks = {row["check"]: row["ok"] for row in home.json("models", "verify", "a", code=1)["items"][0]["checks"]}
    assert checks == {"files": True, "size": False, "header": True, "fingerprint": False, "settings": True}
    path.unlink()
    said = home.run("models", "verify", "a", check=False)
    assert said.returncode == 1 and "it does not exist" in said.stdout


def test_what_its_file_does_not_say_a_model_is_asked_when_it_is_ready(home: Home, begin: Begin) -> None:
    daemon = begin()
    home.add("alpha", sees=True)
    with watching(home) as seen:
        home.run("start", "alpha")
        assert seen.next() == CatalogueChanged(changed=("alpha",))
    daemon.end()
    begin()
    row = rows(home)["alpha"]
    assert (row.parameters, row.context_length, row.vocabulary, row.embedding_length) == (1_000_000, 4096, 259, 64)
    assert row.modalities == ("text", "image")


def test_a_running_model_completes_what_its_file_does_not_say(
    home: Home, begin: Begin, real_engine: str, tiny: Path
) -> None:
    daemon = begin(llama_server_path=real_engine, llama_server_ctx_size="256", llama_server_threads="1")
    home.run("models", "add", str(tiny), "--name", "tiny")
    file_says = home.tell(ShowModel("tiny")).facts
    with watching(home) as seen:
        home.run("start", "tiny")
        assert seen.next() == CatalogueChanged(changed=("tiny",))
    assert home.tell(ShowModel("tiny")).facts == file_says, "the file has said all of it"
    assert daemon.ask("/v1/models").json()["data"][0]["meta"]["n_vocab"] == 259
