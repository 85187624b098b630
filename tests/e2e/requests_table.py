"""Requests that llama-server answers or refuses, each the same every time it is asked (`temperature` 0, a seed)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

FIXED = {"temperature": 0, "seed": 1, "cache_prompt": False}
USER = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


class Asked(NamedTuple):
    path: str
    body: dict[str, Any]


def table(model: str, embedding: str) -> list[Asked]:
    """`model` is a name for one that chats, `embedding` for one that embeds."""
    return [Asked(path, {"model": model, **body}) for path, body in _chatting()] + [
        Asked("/v1/embeddings", {"model": embedding, **body}) for body in _EMBEDDED
    ]


_SAMPLED: list[dict[str, Any]] = [
    {},
    {"top_k": 1},
    {"top_p": 0.5},
    {"min_p": 0.2, "top_k": 5},
    {"typical_p": 0.9},
    {"repeat_penalty": 1.3, "repeat_last_n": 8},
    {"presence_penalty": 0.5, "frequency_penalty": 0.5},
    {"dry_multiplier": 0.8, "dry_base": 1.75},
    {"mirostat": 2},
    {"logit_bias": [[70, -100]]},
    {"logit_bias": {"70": 5}},
    {"ignore_eos": True},
    {"stop": ["e"]},
    {"stop": "zzz"},
    {"samplers": ["top_k", "temperature"]},
    {"samplers": "kt"},
    {"grammar": 'root ::= "yes" | "no"'},
    {"json_schema": SCHEMA},
    {"n_probs": 2},
    {"timings_per_token": True},
    {"post_sampling_probs": True, "n_probs": 1},
    {"user": "somebody", "nonsense": [1, {"a": None}]},
    # and what is refused
    {"temperature": "hot"},
    {"top_k": [1]},
    {"logit_bias": "no"},
    {"samplers": 3},
    {"grammar": 7},
    {"json_schema": {"type": "nonsense"}},
    {"stop": {"a": 1}},
    {"seed": "x"},
    {"lora": "x"},
    {"t_max_predict_ms": "x"},
]

_CHATTED: list[dict[str, Any]] = [
    {"messages": USER},
    {"messages": [{"role": "system", "content": "Be brief."}, *USER]},
    {"messages": [*USER, {"role": "assistant", "content": "hi"}, *USER]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]},
    {"messages": [{"role": "user", "content": 'é 漢字 🙂 " \\ \n'}]},
    {"messages": [*USER, {"role": "assistant", "content": "I"}]},
    {"messages": USER, "n": 2},
    {"messages": USER, "logprobs": True},
    {"messages": USER, "logprobs": True, "top_logprobs": 3},
    {"messages": USER, "response_format": {"type": "text"}},
    {"messages": USER, "response_format": {"type": "json_object", "schema": SCHEMA}},
    {"messages": USER, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    {"messages": USER, "tools": [TOOL], "tool_choice": "none"},
    {"messages": USER, "max_completion_tokens": 3},
    {"messages": USER, "stream_options": {"include_usage": True}},
    {"messages": USER, "reasoning_format": "none"},
    {"messages": USER, "chat_template_kwargs": {"enable_thinking": False}},
    # and what is refused
    {},
    {"messages": []},
    {"messages": "not a list"},
    {"messages": [1]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"content": "x"}]},
    {"messages": [{"role": "user", "content": 5}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,AA"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "nonsense"}]}]},
    {"messages": USER, "top_logprobs": 3},
    {"messages": USER, "response_format": {"type": "nonsense"}},
    {"messages": USER, "tools": "x"},
    {"messages": USER, "tools": [TOOL], "tool_choice": "nonsense"},
    {"messages": USER, "n": 0},
    {"messages": USER, "max_tokens": "many"},
    {"messages": USER, "logit_bias": {"x": {}}},
]

_COMPLETED: list[dict[str, Any]] = [
    {"prompt": "x"},
    {"prompt": ""},
    {"prompt": [70, 71]},
    {"prompt": ["a", "b"]},
    {"prompt": [[70], "b"]},
    {"prompt": "x", "echo": True},
    {"prompt": "x", "logprobs": 2},
    {"prompt": "x", "n": 2},
    {"prompt": "x", "return_tokens": True},
    # and what is refused
    {},
    {"prompt": 5},
    {"prompt": {"prompt_string": 7}},
    {"prompt": [70, "x"]},
    {"prompt": "x", "suffix": 5, "best_of": 3},
    {"prompt": "x", "n_predict": "many"},
    {"prompt": "word " * 3000},
]

_OTHER: list[tuple[str, dict[str, Any]]] = [
    ("/tokenize", {"content": "hello"}),
    ("/tokenize", {"content": "hello", "add_special": True, "with_pieces": True}),
    ("/tokenize", {"content": 5}),
    ("/tokenize", {}),
    ("/detokenize", {"tokens": [70, 71]}),
    ("/detokenize", {"tokens": "x"}),
    ("/detokenize", {}),
    ("/apply-template", {"messages": USER}),
    ("/apply-template", {"messages": "x"}),
    ("/apply-template", {}),
    ("/infill", {"input_prefix": "a", "input_suffix": "b"}),
    ("/infill", {}),
    ("/v1/embeddings", {"input": "x"}),
    ("/v1/rerank", {"query": "a", "documents": ["b"]}),
    ("/v1/messages", {"messages": USER, "max_tokens": 3, **FIXED}),
    ("/v1/messages", {"messages": USER, "max_tokens": 3, "system": "Be brief.", "stream": True, **FIXED}),
    ("/v1/messages", {"messages": "x", "max_tokens": 3, **FIXED}),
    ("/v1/messages", {}),
    ("/v1/messages/count_tokens", {"messages": USER}),
    ("/v1/messages/count_tokens", {}),
    ("/v1/responses", {"input": "hello", "max_output_tokens": 3, **FIXED}),
    ("/v1/responses", {"input": "hello", "max_output_tokens": 3, "stream": True, **FIXED}),
    ("/v1/responses", {"input": 5}),
    ("/v1/responses", {}),
]

_EMBEDDED: list[dict[str, Any]] = [
    {"input": "x"},
    {"input": ["x", "yy"]},
    {"input": [70, 71]},
    {"input": "x", "encoding_format": "base64"},
    {"input": []},
    {"input": 5},
    {"input": {"a": 1}},
    {"input": "x", "encoding_format": "nonsense"},
    {},
]


def _chatting() -> Iterator[tuple[str, dict[str, Any]]]:
    prompts: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"messages": USER},
        "/completion": {"prompt": "x"},
    }
    for path, prompt in prompts.items():
        for more in _SAMPLED:
            yield path, {**prompt, "max_tokens": 4, **FIXED, **more}
    for body in _CHATTED:
        yield "/v1/chat/completions", {"max_tokens": 4, **FIXED, **body}
    for body in _CHATTED[:17]:
        yield "/chat/completions", {"max_tokens": 4, **FIXED, **body, "stream": True}
    for path in ("/v1/completions", "/completions"):
        for body in _COMPLETED:
            yield path, {"max_tokens": 4, "n_predict": 4, **FIXED, **body}
    for body in _COMPLETED[:9]:
        yield "/v1/completions", {"max_tokens": 4, **FIXED, **body, "stream": True}
    yield from _OTHER
