"""Refusals and errors, as clients of each API expect them."""

import json
from datetime import datetime

import pytest

from llamactl.core.errors import (
    BadRequest,
    BodyTooLarge,
    DoesNotFit,
    Draining,
    Forbidden,
    LlamactlError,
    LoadFailed,
    NotFound,
    QueueFull,
    UpstreamDied,
)
from llamactl.proxy import dialects
from llamactl.proxy.request import HeadTooLarge
from tests.proxy.wire import answers


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (BadRequest("m"), 400, "invalid_request_error", "bad_request"),
        (Forbidden("m"), 403, "permission_error", "forbidden"),
        (NotFound("m"), 404, "not_found_error", "not_found"),
        (BodyTooLarge("m"), 413, "invalid_request_error", "body_too_large"),
        (QueueFull("m"), 429, "rate_limit_error", "queue_full"),
        (HeadTooLarge("m"), 431, "invalid_request_error", "head_too_large"),
        (LlamactlError("m"), 500, "server_error", "error"),
        (UpstreamDied("m"), 502, "server_error", "upstream_died"),
        (LoadFailed("m"), 503, "server_error", "load_failed"),
        (DoesNotFit("m"), 507, "server_error", "does_not_fit"),
    ],
)
def test_a_refusal(error: LlamactlError, status: int, kind: str, code: str) -> None:
    [answer] = answers(dialects.refusal(error, close=False), b"POST")
    assert answer.status == status
    assert answer.header(b"content-type") == b"application/json; charset=utf-8"
    assert answer.header(b"connection") is None
    assert json.loads(answer.body) == {"error": {"message": "m", "type": kind, "param": None, "code": code}}


def test_the_hint_is_part_of_the_message() -> None:
    body = json.loads(dialects.error_body(NotFound("no model is called x", "llamactl models ls")))
    assert body["error"]["message"] == "no model is called x (llamactl models ls)"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (LoadFailed("m"), b"1"),
        (LoadFailed("m", retry_after=0.2), b"1"),
        (Draining("m", retry_after=2.0), b"2"),
        (QueueFull("m", retry_after=2.1), b"3"),
        (UpstreamDied("m", retry_after=0.0), b"1"),
        (QueueFull("m"), None),
        (NotFound("m"), None),
    ],
)
def test_when_to_try_again(error: LlamactlError, seconds: bytes | None) -> None:
    [answer] = answers(dialects.refusal(error, close=False), b"POST")
    assert answer.header(b"retry-after") == seconds


def test_the_last_answer_says_so() -> None:
    [answer] = answers(dialects.refusal(NotFound("m"), close=True), b"POST")
    assert answer.header(b"connection") == b"close"


def test_another_status() -> None:
    [answer] = answers(dialects.refusal(BadRequest("m"), close=True, status=408), b"POST")
    assert answer.status == 408


def test_head_gets_the_head_of_the_same_answer() -> None:
    whole = dialects.refusal(NotFound("m"), close=False)
    bodiless = dialects.refusal(NotFound("m"), close=False, bodiless=True)
    assert whole.startswith(bodiless)
    answers(bodiless, b"HEAD")


def test_nothing_in_a_message_breaks_the_framing() -> None:
    message = 'a "quoted"\r\n\r\nHTTP/1.1 200 OK\x00 é \U0001f600 \ud800'.encode("utf-8", "replace").decode()
    [answer] = answers(dialects.refusal(BadRequest(message), close=False), b"POST")
    assert json.loads(answer.body)["error"]["message"] == message
    event = dialects.error_event(BadRequest(message))
    assert event.count(b"\n\n") == 1


def test_an_error_in_a_stream_is_one_chunk_with_one_event() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    [answer] = answers(head + dialects.error_event(UpstreamDied("gone")) + b"0\r\n\r\n", b"POST")
    assert answer.body.startswith(b"data: ")
    assert answer.body.endswith(b"\n\n")
    assert json.loads(answer.body[6:])["error"]["code"] == "upstream_died"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("m"), "invalid_request_error"),
        (Forbidden("m"), "permission_error"),
        (NotFound("m"), "not_found_error"),
        (BodyTooLarge("m"), "request_too_large"),
        (QueueFull("m"), "rate_limit_error"),
        (LlamactlError("m"), "api_error"),
        (UpstreamDied("m"), "api_error"),
        (LoadFailed("m"), "overloaded_error"),
    ],
)
def test_anthropics_words(error: LlamactlError, kind: str) -> None:
    expected = {"type": "error", "error": {"type": kind, "message": "m"}}
    assert json.loads(dialects.error_body(error, dialect="anthropic")) == expected
    _, _, event = dialects.error_event(error, "anthropic").partition(b"\r\n")
    first, second, *_ = event.split(b"\n")
    assert first == b"event: error"
    assert json.loads(second.removeprefix(b"data: ")) == expected


def test_the_words_of_llama_server() -> None:
    told = json.loads(dialects.error_body(LoadFailed("m"), dialect="llama"))["error"]
    assert (told["code"], told["type"], told["message"]) == (503, "unavailable_error", "m")


def test_the_words_of_the_web_face() -> None:
    told = json.loads(dialects.error_body(NotFound("m", "h"), dialect="web"))
    assert datetime.fromisoformat(told.pop("timestamp")).tzinfo is not None
    assert told == {"success": False, "error": {"code": "not_found", "message": "m", "details": "h"}}


def test_an_error_in_a_stream_of_responses() -> None:
    _, _, event = dialects.error_event(UpstreamDied("gone"), "responses").partition(b"\r\n")
    first, second, *_ = event.split(b"\n")
    assert first == b"event: error"
    told = json.loads(second.removeprefix(b"data: "))
    assert (told["type"], told["message"], told["error"]["code"]) == ("error", "gone", "upstream_died")
