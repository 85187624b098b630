"""Scopes, keys and callers."""

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.access import RANK, SCOPES, Caller, Key, KeyText, Scope, checked, highest, read_key, shown
from llamactl.core.errors import BadRequest, Forbidden, Unauthorized

KEY = Key(
    id="ab12cd34", name="editor", digest="d", scopes=("infer", "control"), models=("qwen*",), rate=5.0, parallel=2
)

ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=4, max_size=32)
secrets = st.text("abcXYZ0189_-", min_size=16, max_size=128)


@given(ids, secrets)
def test_a_key_is_read_as_it_is_written(id_: str, secret: str) -> None:
    assert read_key(str(KeyText(id_, secret))) == KeyText(id_, secret)


@given(st.text())
def test_nothing_else_is_taken_for_one(text: str) -> None:
    found = read_key(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-123",
        "llk_abcd",
        "llk__0123456789abcdef",
        "llk_ABCD_0123456789abcdef",
        "llk_abcd_short",
        " llk_abcd_0123456789abcdef",
        "llk_abcd_0123456789abcdef\n",
        "llk_abcd_0123456789abcdé",
    ],
)
def test_what_is_no_key(text: str) -> None:
    assert read_key(text) is None


@given(st.sampled_from(SCOPES), st.sampled_from(SCOPES))
def test_a_scope_has_those_before_it(has: Scope, needs: Scope) -> None:
    assert Caller("k", "n", has).may(needs) == (SCOPES.index(has) >= SCOPES.index(needs))


@given(st.lists(st.sampled_from([*SCOPES, "openid", ""])))
def test_of_several_the_highest_counts(scopes: list[str]) -> None:
    assert RANK[highest(scopes)] == max((RANK.get(scope, 0) for scope in scopes), default=0)


def test_nobody_may_only_what_is_for_everybody() -> None:
    assert Caller().may("")
    assert not any(Caller().may(scope) for scope in SCOPES)


def test_what_is_demanded() -> None:
    with pytest.raises(Unauthorized, match="takes a key with the scope observe"):
        Caller(scope="infer").demand("observe")
    with pytest.raises(Forbidden, match="takes the scope admin, and the key n has control"):
        Caller("k", "n", "control").demand("admin")
    Caller("k", "n", "control").demand("infer")


def test_models_are_globs_and_case_counts() -> None:
    caller = KEY.caller()
    caller.demand_model("qwen3:8b")
    Caller("k", "n", "infer").demand_model("anything")
    for other in ("Qwen3", "gemma", "my-qwen"):
        with pytest.raises(Forbidden, match=f"the key editor is not for the model {other}"):
            caller.demand_model(other)
    with pytest.raises(Forbidden):
        Caller("k", "n", "infer", ()).demand_model("qwen")


def test_the_caller_of_a_key() -> None:
    assert KEY.caller() == Caller("ab12cd34", "editor", "control", ("qwen*",), 5.0, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": " "},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"scopes": ()},
        {"expires": 10.0},
        {"models": ("",)},
        {"rate": -1.0},
        {"parallel": -1},
    ],
)
def test_a_key_that_nobody_could_use(change: dict[str, object]) -> None:
    assert checked(KEY, 10.0) == KEY
    with pytest.raises(BadRequest):
        checked(msgspec.structs.replace(KEY, **change), 10.0)


def test_what_a_header_shows() -> None:
    for scheme, value in product(("Bearer", "bearer", "BEARER"), ("x", " x ")):
        assert shown(f"{scheme} {value}".encode()) == "x"
    assert shown(b"x") == "x" and shown(b"") == "" and shown(b"Basic abc") == "Basic abc"
    assert shown(b"\xff") == "ÿ"
