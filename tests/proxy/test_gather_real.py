"""Thoughts and calls of tools as a real llama-server streams them, put together: what it answers without a stream.

The model says what is written below, so that whatever a chat may hold is there each time.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamactl.core.errors import LlamactlError
from llamactl.llamaserver import locate
from llamactl.proxy.gather import as_stream, gather
from tests.e2e.test_parity import stable
from tests.engines import tiny_model
from tests.engines.client import ask

SAYS = """<think>
The sky is blue, they say.
</think>

Let me look.
<tool_call>
{"name": "look", "arguments": {"color": "red", "n": 7}}
</tool_call>
<tool_call>
{"name": "look", "arguments": {"color": "blue"}}
</tool_call>"""
COLOR = {"type": "string", "enum": ["red", "blue"]}
TAKES = {"type": "object", "properties": {"color": COLOR, "n": {"type": "integer"}}, "required": ["color"]}
LOOK = {"name": "look", "description": "Look for a color."}
USER = [{"role": "user", "content": "Which color?"}]
CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = [
    *USER,
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "blue"},
]
OPENAI = {"messages": USER, "tools": [{"type": "function", "function": {**LOOK, "parameters": TAKES}}]}
ANTHROPIC = {"messages": USER, "tools": [{**LOOK, "input_schema": TAKES}], "max_tokens": 300}
RESPONSES = {"input": "Which color?", "tools": [{"type": "function", **LOOK, "parameters": TAKES}]}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    try:
        engine = locate._packaged() or locate.find()
    except LlamactlError as error:
        pytest.skip(f"no real llama-server: {error.message}")
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        model = tiny_model.write_scripted_model(Path(place) / "scripted.gguf", SAYS)
        endpoint = f"{place}/s.sock"
        template = Path(tiny_model.__file__).with_name("thinking.jinja")
        line = [engine.path, "--model", str(model), "--host", endpoint, "--threads", "1", "--parallel", "2"]
        line += ["--ctx-size", "8192", "--jinja", "--chat-template-file", str(template)]
        with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                until_healthy(endpoint, process)
                yield endpoint
            finally:
                process.kill()


def until_healthy(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while True:
        assert process.poll() is None and time.monotonic() < end, "it does not serve"
        try:
            if ask(endpoint, "/health").status == 200:
                return
        except OSError:
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "asked", "holds"),
    [
        ("/v1/chat/completions", OPENAI, '"tool_calls"'),
        ("/v1/chat/completions", OPENAI | {"tool_choice": "required"}, '"tool_calls"'),
        ("/v1/chat/completions", OPENAI | {"parallel_tool_calls": True, "n": 2}, '"index": 1'),
        ("/v1/chat/completions", OPENAI | {"messages": CALLED}, '"tool_calls"'),
        ("/v1/chat/completions", OPENAI | {"max_tokens": 30}, '"finish_reason": "length"'),
        ("/v1/chat/completions", OPENAI | {"reasoning_format": "none"}, "<think>"),
        ("/v1/chat/completions", {"messages": USER}, '"reasoning_content"'),
        ("/v1/messages", ANTHROPIC, '"tool_use"'),
        ("/v1/messages", ANTHROPIC | {"tools": []}, '"thinking"'),
        ("/v1/messages", ANTHROPIC | {"max_tokens": 30}, '"max_tokens"'),
        ("/v1/responses", RESPONSES, '"function_call"'),
        ("/v1/responses", RESPONSES | {"tools": []}, '"reasoning"'),
    ],
)
def test_as_without_a_stream(endpoint: str, path: str, asked: dict[str, Any], holds: str) -> None:
    asked = asked | {"temperature": 0, "seed": 1}
    ask(endpoint, path, asked)  # so that both find the same in the cache
    direct = ask(endpoint, path, asked)
    streamed = as_stream(path.encode(), json.dumps(asked).encode())
    assert streamed is not None
    answer = gather(path.encode())
    answer.feed(ask(endpoint, path, json.loads(streamed)).body)
    together = answer.body()
    assert together is not None and direct.status == 200
    assert json.dumps(stable(together)) == json.dumps(stable(direct.body)), "members are in the same order, too"
    assert holds in json.dumps(direct.json())
