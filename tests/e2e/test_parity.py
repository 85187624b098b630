"""The same request directly and through the port: the same status, the same headers that matter, the same body."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Begin
from tests.e2e.requests_table import table
from tests.e2e.running import Home
from tests.engines.client import ask

VARYING = {"id", "created", "created_at", "completed_at", "timings", "id_slot", "tokens_cached", "item_id", "call_id"}
"""Members that differ from one answer to the next, from the same llama-server."""
MATTERS = ("x-accel-buffering", "content-type", "cache-control", "www-authenticate", "retry-after", "location")


def test_through_the_port_as_directly(begin: Begin, real_engine: str, home: Home, tiny: Path) -> None:
    daemon = begin(
        llama_server_path="",
        llama_server_ctx_size="512",
        llama_server_threads="1",
        llama_server_skip_chat_parsing="true",
        llama_server_n_parallel="1",
    )
    endpoints = {}
    for name in ("tiny", "embedding"):
        home.run("models", "add", str(tiny), "--name", name)
        if name == "embedding":
            home.run("models", "set", name, "embeddings=true", "pooling=mean")
        before = set((home.runtime / "sockets").glob("*.sock"))
        home.run("start", name)
        [endpoints[name]] = set((home.runtime / "sockets").glob("*.sock")) - before
    asked = table("tiny", "embedding")
    assert len(asked) >= 150
    statuses, differing = Counter[int](), []
    for path, body in asked:
        if path == "/v1/messages":  # it ignores `cache_prompt`: the first would find less in the cache than the second
            ask(str(endpoints[body["model"]]), path, body)
        direct = ask(str(endpoints[body["model"]]), path, body)
        through = daemon.ask(path, body)
        headers = {name.lower(): value for name, value in direct.headers}
        statuses[direct.status] += 1
        here, there = [
            (answer.status, [(name, fields.get(name)) for name in MATTERS], stable(answer.body))
            for answer, fields in ((through, through.headers), (direct, headers))
        ]
        if json.dumps(here) != json.dumps(there):
            differing.append((path, body, here, there))
    assert not differing, f"{len(differing)} of {len(asked)}: {differing[:5]}"
    assert statuses[200] > 80
    assert statuses[400] > 20


def stable(body: bytes) -> list[Any]:
    """The body, or the events of a stream, without what varies: of that only the type."""

    def strip(value: Any, name: str = "") -> Any:
        if name in VARYING:
            return type(value).__name__
        if isinstance(value, dict):
            return {key: strip(inner, key) for key, inner in value.items()}
        return [strip(inner) for inner in value] if isinstance(value, list) else value

    texts = [part.rpartition("data: ")[2] for part in body.decode().split("\n\n")]
    return [strip(json.loads(text)) if text.startswith(("{", "[{")) else text for text in texts]
