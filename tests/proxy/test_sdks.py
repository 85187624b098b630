"""What the SDKs of OpenAI and Anthropic make of refusals and of streams that break off."""

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from llamactl.core.errors import LoadFailed, QueueFull
from tests.proxy.front import Front, opened
from tests.proxy.upstreams import CLOSE, EVENTS, chunk, chunked_head, sized

pytestmark = pytest.mark.anyio

MESSAGES: Any = [{"role": "user", "content": "hello"}]


def url(front: Front) -> str:
    return "http://{}:{}".format(*front.address)


async def test_openais_sdk_raises_what_the_refusal_means(tmp_path: Path) -> None:
    async with (
        opened(tmp_path, max_body=10_000) as front,
        openai.AsyncOpenAI(base_url=f"{url(front)}/v1", api_key="k", max_retries=0) as client,
    ):
        for error, kind in ((QueueFull("q"), openai.RateLimitError), (LoadFailed("l"), openai.InternalServerError)):
            front.leases.failing["a"] = error
            with pytest.raises(kind) as raised:
                await client.chat.completions.create(model="a", messages=MESSAGES)
            assert raised.value.code == error.code
            assert error.message in raised.value.message
        with pytest.raises(openai.NotFoundError, match="no model is called nobody"):
            await client.embeddings.create(model="nobody", input="x")
        with pytest.raises(openai.NotFoundError, match="nobody"):
            await client.responses.create(model="nobody", input="x")


@pytest.mark.parametrize("api", ["chat", "completions", "responses"])
async def test_openais_sdk_raises_in_a_stream_that_breaks_off(tmp_path: Path, api: str) -> None:
    async with opened(tmp_path, max_body=10_000) as front:
        begun = b'event: response.created\ndata: {"type":"response.created","response":{}}\n\n'
        if api != "responses":
            begun = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"half"},"text":"half"}]}\n\n'
        front.upstream.play = lambda _: (chunked_head(EVENTS) + chunk(begun), CLOSE)
        seen = 0
        stream: Any
        async with openai.AsyncOpenAI(base_url=f"{url(front)}/v1", api_key="k", max_retries=0) as client:
            with pytest.raises(openai.APIError, match="went away"):
                if api == "chat":
                    stream = await client.chat.completions.create(model="a", messages=MESSAGES, stream=True)
                elif api == "completions":
                    stream = await client.completions.create(model="a", prompt="x", stream=True)
                else:
                    stream = await client.responses.create(model="a", input="x", stream=True)
                async for _ in stream:
                    seen += 1
        assert seen == 1


async def test_anthropics_sdk_raises_what_the_refusal_means(tmp_path: Path) -> None:
    async with (
        opened(tmp_path, max_body=10_000) as front,
        anthropic.AsyncAnthropic(base_url=url(front), api_key="k", max_retries=0) as client,
    ):
        for error, kind in (
            (QueueFull("q"), anthropic.RateLimitError),
            (LoadFailed("l"), anthropic.InternalServerError),
        ):
            front.leases.failing["a"] = error
            with pytest.raises(kind) as raised:
                await client.messages.create(model="a", messages=MESSAGES, max_tokens=5)
            assert isinstance(raised.value.body, dict)
            assert raised.value.body["error"]["message"] == error.message
        with pytest.raises(anthropic.NotFoundError, match="no model is called nobody"):
            await client.messages.count_tokens(model="nobody", messages=MESSAGES)
        with pytest.raises(anthropic.APIStatusError, match="larger than") as large:
            long: Any = [{"role": "user", "content": "x" * 20_000}]
            await client.messages.create(model="a", messages=long, max_tokens=5)
        assert large.value.status_code == 413


async def test_anthropics_sdk_raises_in_a_stream_that_breaks_off(tmp_path: Path) -> None:
    async with opened(tmp_path, max_body=10_000) as front:
        begun = b'event: ping\ndata: {"type":"ping"}\n\n' + (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":"half"}}\n\n'
        )
        front.upstream.play = lambda _: (chunked_head(EVENTS) + chunk(begun), CLOSE)
        seen = 0
        stream: Any
        async with anthropic.AsyncAnthropic(base_url=url(front), api_key="k", max_retries=0) as client:
            with pytest.raises(anthropic.APIStatusError, match="went away"):
                stream = await client.messages.create(model="a", messages=MESSAGES, max_tokens=5, stream=True)
                async for _ in stream:
                    seen += 1
        assert seen == 1


async def test_the_list_of_models_is_what_openais_sdk_reads(tmp_path: Path) -> None:
    """An id with a slash is asked for as one."""
    async with opened(tmp_path, max_body=10_000) as front:
        front.web.play = lambda _: (sized(b'{"id":"org/a","object":"model","created":0,"owned_by":"x"}', "200 OK"),)
        async with openai.AsyncOpenAI(base_url=f"{url(front)}/v1", api_key="k", max_retries=0) as client:
            assert (await client.models.retrieve("org/a")).id == "org/a"
        assert front.web.requests[0].target == b"/v1/models/org%2Fa"
