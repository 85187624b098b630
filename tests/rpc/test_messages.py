"""JSON-RPC 2.0, line by line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.errors import BY_CODE, LlamactlError, NotFound, Problem
from llamactl.rpc.calls import CALLS, AddModel, Call, InstanceRow, ListInstances, StartModel, Status
from llamactl.rpc.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Fault,
    Question,
    answer,
    batch,
    fault,
    notice,
    parse,
    question,
)


def line(**members: object) -> bytes:
    """A request, with what is given instead of what is usual; `...` leaves a member out."""
    request = {"jsonrpc": "2.0", "method": "daemon.status", "id": 1} | members
    return json.dumps({name: value for name, value in request.items() if value is not ...}).encode() + b"\n"


def parsed(text: bytes) -> Question:
    [question], together = parse(text)
    assert not together
    return question


def refused(text: bytes) -> tuple[object, int, bool]:
    """Id, code, and whether it is answered."""
    question = parsed(text)
    assert isinstance(question.call, Fault)
    assert question.call.message
    return question.id, question.call.code, question.reply


# --- questions -----------------------------------------------------------------------------------


def test_a_call() -> None:
    text = line(method="instances.start", params={"name": "qwen", "wait": False}, id=7)
    assert parsed(text) == Question(7, StartModel("qwen", wait=False))


@pytest.mark.parametrize("id", [1, 0, -5, 1.5, "one", "", None, 2**70])
def test_any_id_comes_back_as_it_was(id: object) -> None:
    assert parsed(line(id=id)) == Question(id, Status())  # type: ignore[arg-type]
    assert json.loads(answer(parsed(line(id=id)).id, None))["id"] == id


def test_without_an_id_it_is_a_notification() -> None:
    assert parsed(line(id=...)) == Question(None, Status(), reply=False)


@pytest.mark.parametrize("params", [..., {}])
def test_a_call_without_parameters(params: object) -> None:
    assert parsed(line(method="instances.list", params=params)).call == ListInstances()


@pytest.mark.parametrize("text", [line().strip(), b"  " + line(), b"\t" + line().rstrip() + b" \r\n"])
def test_white_space_around_it_does_not_matter(text: bytes) -> None:
    assert parsed(text) == Question(1, Status())


@pytest.mark.parametrize(
    "text",
    [
        b"hello",
        b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        b'{"jsonrpc": "2.0", "method"',
        line() + line(),
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","method":"\xff"}',
        b"\xef\xbb\xbf" + line(),
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'[{"jsonrpc": "2.0", "method": "sum", "id": "1"},{"jsonrpc": "2.0", "method"]',
    ],
)
def test_what_is_not_json(text: bytes) -> None:
    assert refused(text) == (None, PARSE_ERROR, True)


@pytest.mark.parametrize(
    "text",
    [
        b"1",
        b'"call"',
        b"null",
        b"{}",
        b"[]",
        b" [ ] \n",
        line(method=...),
        line(method=1, params="bar"),
        line(jsonrpc=...),
        line(jsonrpc=2.0),
        line(id=True),
        line(id=[1]),
        line(id={}),
    ],
)
def test_what_is_no_request(text: bytes) -> None:
    assert refused(text) == (None, INVALID_REQUEST, True)


def test_another_version_of_the_protocol() -> None:
    assert refused(line(jsonrpc="1.0")) == (1, INVALID_REQUEST, True)


def test_a_method_that_does_not_exist() -> None:
    assert refused(line(method="foobar", id="1")) == ("1", METHOD_NOT_FOUND, True)
    assert refused(line(method="foobar", id=...)) == (None, METHOD_NOT_FOUND, False)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "`name`"),
        ({"name": 5}, "at `$.name`"),
        ({"name": "qwen", "wait": "yes"}, "at `$.wait`"),
        ({"name": "qwen", "weight": 1}, "`weight`"),
        (["qwen"], "got `array`"),
        (None, "got `null`"),
        ("qwen", "got `str`"),
        (5, "got `int`"),
    ],
)
def test_bad_parameters_are_refused_with_the_place_of_the_fault(params: object, says: str) -> None:
    question = parsed(line(method="instances.start", params=params, id=3))
    assert isinstance(question.call, Fault)
    assert (question.id, question.call.code) == (3, INVALID_PARAMS)
    assert question.call.message.startswith("instances.start: ")
    assert says in question.call.message


def test_parameters_nested_beyond_reason() -> None:
    nested = b'{"all":' + b"[" * 900 + b"]" * 900 + b"}"
    assert refused(b'{"jsonrpc":"2.0","method":"instances.list","id":1,"params":' + nested + b"}")[1] == INVALID_PARAMS


# --- batches -------------------------------------------------------------------------------------


def test_a_batch_is_taken_apart_and_each_part_stands_for_itself() -> None:
    parts = [line(id=1), line(id=...), b'{"foo": "boo"}', line(method="foobar", id="5"), line(id=9)]
    questions, together = parse(b"[" + b",".join(parts) + b"]")
    assert together
    assert [question.id for question in questions] == [1, None, None, "5", 9]
    assert [question.reply for question in questions] == [True, False, True, True, True]
    codes = [question.call.code if isinstance(question.call, Fault) else None for question in questions]
    assert codes == [None, None, INVALID_REQUEST, METHOD_NOT_FOUND, None]


def test_a_batch_of_one_is_a_batch() -> None:
    assert parse(b"[" + line() + b"]") == ([Question(1, Status())], True)


def test_a_batch_of_things_that_are_no_requests() -> None:
    questions, together = parse(b"[1,[],null]")
    assert together
    assert [question.call.code for question in questions if isinstance(question.call, Fault)] == [INVALID_REQUEST] * 3


# --- whatever comes ------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
requests = st.dictionaries(
    st.sampled_from(["jsonrpc", "method", "params", "id", "more"]),
    anything | st.sampled_from(["2.0", *CALLS]),
)


@given(
    st.binary() | (anything | requests | st.lists(requests, max_size=4)).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_understood_or_refused(text: bytes) -> None:
    questions, together = parse(text)
    assert questions
    assert together or len(questions) == 1
    for asked in questions:
        assert isinstance(asked.call, Call | Fault)
        assert json.loads(answer(asked.id, None))["id"] == asked.id


# --- answers -------------------------------------------------------------------------------------


def test_a_result() -> None:
    row = InstanceRow(name="qwen", state="ready")
    got = json.loads(answer(7, [row]))
    assert (got["jsonrpc"], got["id"], got["result"][0]["name"]) == ("2.0", 7, "qwen")
    assert "error" not in got


def test_a_result_of_nothing_is_null_and_there() -> None:
    assert json.loads(answer(7, None)) == {"jsonrpc": "2.0", "id": 7, "result": None}


def test_an_error_has_no_result() -> None:
    got = json.loads(answer(None, Fault(PARSE_ERROR, "not JSON")))
    assert got == {"jsonrpc": "2.0", "id": None, "error": {"code": PARSE_ERROR, "message": "not JSON"}}


def test_our_errors_carry_the_whole_problem() -> None:
    error = NotFound("no model is called 'quen'", "llamactl models ls", retry_after=2.5)
    got = json.loads(answer("x", fault(error)))["error"]
    assert (got["code"], got["message"]) == (NotFound.rpc, error.message)
    assert Problem(**got["data"]) == error.problem()


@pytest.mark.parametrize("kind", BY_CODE.values())
def test_no_error_of_ours_is_mistaken_for_one_of_the_protocol(kind: type[LlamactlError]) -> None:
    code = fault(kind("oh")).code
    assert code == INVALID_PARAMS if kind.code == "bad_request" else -32099 <= code <= -32000


@pytest.mark.parametrize(
    "text",
    [
        answer(1, "line one\nline two\r\u2028\x85"),
        answer("a\nb", None),
        notice({"text": "\n"}),
        question(AddModel(path="/a\nb"), 1),
        batch([answer(1, None), answer(2, "\n")]),
    ],
)
def test_everything_is_one_line(text: bytes) -> None:
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1


def test_a_batch_of_answers() -> None:
    got = json.loads(batch([answer(1, "a"), answer(2, Fault(INTERNAL_ERROR, "b"))]))
    assert [part["id"] for part in got] == [1, 2]


def test_a_notice() -> None:
    assert json.loads(notice({"lost": 3})) == {"jsonrpc": "2.0", "method": "event", "params": {"lost": 3}}


def test_what_one_end_asks_the_other_understands() -> None:
    calls: list[Call[Any]] = [StartModel("qwen", wait=False), ListInstances(all=True), AddModel(path="/a", name="b")]
    for number, call in enumerate(calls):
        assert parsed(question(call, number)) == Question(number, call)
    assert json.loads(question(Status(), 1)) == {"jsonrpc": "2.0", "id": 1, "method": "daemon.status", "params": {}}
