"""Every endpoint of a real llama-server, through the port. One daemon serves all tests of this file."""

import gzip
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llamactl.rpc.calls import AddModel, CreateKey, RevokeKey, SetModel
from tests.e2e.running import Daemon, Home, until
from tests.e2e.test_real import SMALL
from tests.leftovers import put_down

MODEL = "org/tiny:x"
MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def nobody_left() -> None:
    """Looked after by `served`, which outlives a test."""


@pytest.fixture(scope="module")
def served(real_engine: str, tiny: Path, mark: str) -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        home = Home(Path(place))
        daemon = Daemon(home, **SMALL, models_default=MODEL)
        try:
            daemon.wait_until_up()
            slots = Path(place) / "slots"
            slots.mkdir()
            of: dict[str, dict[str, Any]] = {
                MODEL: {"slot_save_path": str(slots), "props_enabled": True, "parallel": 1},
                "embed": {"embeddings": True, "pooling": "mean"},
                "rank": {"reranking": True},
                "idle": {},
            }
            for name, settings in of.items():
                home.tell(AddModel(str(tiny), name))
                home.tell(SetModel(name, set=settings))
            yield daemon
        finally:
            daemon.end()
    assert not put_down(mark)


# --- one by one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "has"),
    [
        ("completions", {"prompt": "ab", "max_tokens": 3}, "model"),
        ("completion", {"prompt": "ab", "n_predict": 3}, "content"),
        ("chat/completions", {"messages": MESSAGES, "max_tokens": 3}, "choices"),
        ("chat/completions/input_tokens", {"messages": MESSAGES}, "input_tokens"),
        ("responses", {"input": "ab", "max_output_tokens": 3}, "output"),
        ("responses/input_tokens", {"input": "ab"}, "input_tokens"),
        ("messages", {"messages": MESSAGES, "max_tokens": 3}, "content"),
        ("messages/count_tokens", {"messages": MESSAGES}, "input_tokens"),
        ("tokenize", {"content": "ab"}, "tokens"),
        ("detokenize", {"tokens": [100, 101]}, "content"),
        ("apply-template", {"messages": MESSAGES}, "prompt"),
    ],
)
def test_answers(served: Daemon, path: str, body: dict[str, Any], has: str) -> None:
    for prefix in ("/", "/v1/"):
        answer = served.ask(prefix + path, {"model": MODEL, **body})
        assert answer.status == 200, answer.body
        assert answer.json()[has]


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("infill", {"input_prefix": "a", "input_suffix": "b"}, 501, "Infill is not supported"),
        ("chat/completions/control", {}, 400, "completion id"),
        ("embeddings", {"input": "a"}, 501, "does not support embeddings"),
        ("rerank", {"query": "a", "documents": ["b"]}, 501, "does not support reranking"),
        ("chat/completions", {"messages": 5}, 400, "messages"),
    ],
)
def test_what_it_refuses_is_told_as_it_says_it(
    served: Daemon, path: str, body: dict[str, Any], status: int, says: str
) -> None:
    for prefix in ("/", "/v1/"):
        answer = served.ask(prefix + path, {"model": MODEL, **body})
        assert answer.status == status
        assert says in answer.error["message"]


def test_embeddings(served: Daemon) -> None:
    answer = served.ask("/v1/embeddings", {"model": "embed", "input": ["ab", "c"]})
    assert [len(one["embedding"]) for one in answer.json()["data"]] == [64, 64]
    for path in ("/embeddings", "/embedding", "/v1/embedding"):
        assert len(served.ask(path, {"model": "embed", "content": "ab"}).json()[0]["embedding"][0]) == 64


def test_reranking(served: Daemon) -> None:
    for path in ("/rerank", "/v1/rerank", "/reranking", "/v1/reranking"):
        answer = served.ask(path, {"model": "rank", "query": "ab", "documents": ["a", "b"]})
        scores = [one["relevance_score"] for one in answer.json()["results"]]
        assert len(scores) == 2
        assert scores == sorted(scores, reverse=True)


def test_a_slot_is_saved_restored_and_erased(served: Daemon) -> None:
    prompt = {"model": MODEL, "prompt": "some words", "n_predict": 1, "id_slot": 0, "cache_prompt": True}
    assert served.ask("/completion", prompt).status == 200
    for prefix in ("", "/v1"):
        path = f"{prefix}/slots/0?action="
        saved = served.ask(f"{path}save", {"model": MODEL, "filename": "one.bin"})
        assert (saved.status, saved.json()["n_saved"] > 5) == (200, True), saved.body
        assert served.ask(f"{path}erase&model={MODEL}", b"", "POST").json()["n_erased"] > 5
        restored = served.ask(f"{path}restore", {"model": MODEL, "filename": "one.bin"})
        assert restored.json()["n_restored"] == saved.json()["n_saved"]


def test_what_is_asked_of_one_by_query(served: Daemon) -> None:
    query = "?model=org%2Ftiny%3Ax"
    for prefix in ("", "/v1"):
        assert served.ask(f"{prefix}/slots{query}").json()[0]["id"] == 0
        assert served.ask(f"{prefix}/props{query}").json()["total_slots"] == 1
        assert b"llamacpp:prompt_tokens_total" in served.ask(f"{prefix}/metrics{query}").body
        assert served.ask(f"{prefix}/lora-adapters{query}").json() == []
        assert served.ask(f"{prefix}/lora-adapters{query}", []).json() == {"success": True}
        assert served.ask(f"{prefix}/props{query}", {}).json() == {"success": True}
    assert served.ask("/slots").json()[0]["id"] == 0, "the default model"
    assert served.ask("/props").json()["role"] == "router"


def test_audio_goes_through_byte_for_byte(served: Daemon) -> None:
    """The model does not hear; what it says to that is what it says directly, wherever the name stands."""
    sound = bytes(range(256)) * 4000
    named = b'--X\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n' % MODEL.encode()
    file = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n%b\r\n' % sound
    for parts in (named + file, file + named):
        for path in ("/v1/audio/transcriptions", "/audio/transcriptions"):
            kind = {"Content-Type": "multipart/form-data; boundary=X"}
            answer = served.ask(path, parts + b"--X--\r\n", "POST", **kind)
            assert (answer.status, "does not support" in answer.error["message"]) == (501, True), answer.body


def test_variants_of_one_that_is_loaded(served: Daemon) -> None:
    """The same process answers with other parameters, streamed or not."""
    home = served.home
    home.run("models", "variants", "set", MODEL, "top_k=7")
    home.run("models", "variants", "set", f"{MODEL}:fast", "temperature=0.25", "--strip", "min_p")
    asked = {"prompt": "ab", "n_predict": 2, "temperature": 1, "min_p": 0.5, "top_k": 3}
    before = [row.pid for row in home.instances() if row.name == MODEL]
    for name, temperature, min_p in ((MODEL, 1, 0.5), (f"{MODEL}:fast", 0.25, 0.05)):
        used = served.ask("/completion", {"model": name, **asked}).json()["generation_settings"]
        assert used["temperature"] == pytest.approx(temperature)
        assert used["min_p"] == pytest.approx(min_p)
        assert used["top_k"] == 7
    chat = {"model": f"{MODEL}:fast", "messages": MESSAGES, "max_tokens": 2}
    assert served.ask("/v1/chat/completions", chat).json()["usage"]["completion_tokens"] == 2
    assert [row.pid for row in home.instances() if row.name == MODEL] == before
    assert f"{MODEL}:fast" in [model["id"] for model in served.ask("/v1/models").json()["data"]]
    assert served.ask("/completion", {"model": f"{MODEL}:slow"}).status == 404
    exported = home.json("models", "export", MODEL)["items"][0]["shapes"]
    assert exported[""] == {"set": {"top_k": 7}}
    home.run("models", "variants", "rm", f"{MODEL}:fast")
    home.run("models", "variants", "rm", MODEL)


# --- /upstream/ ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [MODEL, "org%2Ftiny%3Ax"])
def test_the_web_page_of_a_llama_server(served: Daemon, name: str) -> None:
    """With all that it loads, by addresses relative to it."""
    gzipped = {"Accept-Encoding": "gzip"}
    moved = served.ask(f"/upstream/{name}")
    assert moved.status == 308
    assert moved.headers["location"] == f"./{name.rpartition('/')[2]}/"
    page = served.ask(f"/upstream/{name}/", **gzipped)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    html = gzip.decompress(page.body).decode()
    parts = re.findall(r'(?:src|href)="(?:\./)?([^":]+\.(?:js|css|svg|webmanifest))"', html)
    assert len(parts) > 2
    for part in parts:
        asset = served.ask(f"/upstream/{name}/{part}", **gzipped)
        assert asset.status == 200, part
    assert served.ask(f"/upstream/{name}/props?autoload=false").json()["model_alias"]
    chat = served.ask(f"/upstream/{name}/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 2})
    assert chat.json()["usage"]["completion_tokens"] == 2


def test_anything_of_one(served: Daemon) -> None:
    assert served.ask(f"/upstream/{MODEL}/health").json() == {"status": "ok"}
    assert served.ask(f"/upstream/{MODEL}/nothing").status == 404
    assert served.ask(f"/upstream/{MODEL}/health", method="HEAD").body == b""
    assert served.ask(f"/upstream/{MODEL}/health", method="OPTIONS").status in (200, 204, 404)
    assert served.ask("/upstream/nobody/health").status == 404


# --- llama.cpp's router -------------------------------------------------------------------------------


def test_as_the_web_page_of_a_router_does(served: Daemon) -> None:
    """With a key, as its settings have one: to load and unload takes that."""
    assert served.ask("/models/load", {"model": "idle"}).status == 401
    made = served.home.tell(CreateKey("page", scopes=("control",)))
    key = {"Authorization": f"Bearer {made.text}"}

    def status() -> str:
        models = served.ask("/models", **key).json()["data"]
        return str(next(one["status"]["value"] for one in models if one["id"] == "idle"))

    with _changes(served, key) as events:
        assert status() == "unloaded"
        refused = served.ask("/props?model=idle&autoload=false", **key)
        assert (refused.status, refused.error["code"]) == (400, 400)
        assert refused.error["message"].startswith("model is not loaded")
        assert served.ask("/models/load", {"model": "idle"}, **key).json() == {"success": True}
        until(lambda: status() == "loaded")
        assert served.ask("/models/load", {"model": "idle"}, **key).error["message"] == "model is already running"
        assert served.ask("/props?model=idle&autoload=false", **key).status == 200
        assert served.ask("/models/unload", {"model": "idle"}, **key).json() == {"success": True}
        until(lambda: status() == "unloaded")
        told = [next(events) for _ in range(3)]
    assert told == [("idle", "loading"), ("idle", "loaded"), ("idle", "unloaded")]
    served.home.tell(RevokeKey(made.key.id))


@contextmanager
def _changes(daemon: Daemon, key: dict[str, str]) -> Iterator[Iterator[tuple[str, str]]]:
    """The states that `/models/sse` tells."""
    connection = daemon.connect()
    try:
        connection.request("GET", "/models/sse", headers=key)
        with connection.getresponse() as answer:  # its head is there: it is subscribed
            events = (json.loads(line[6:]) for line in answer if line.startswith(b"data: "))
            yield ((one["model"], one["data"]["status"]) for one in events if one["event"] == "status_change")
    finally:
        connection.close()
