"""`config set` and `unset` change one key of a file and nothing else."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from llamactl.config.edit import assign, remove
from llamactl.config.written import Plain
from llamactl.core.errors import BadRequest, Refused

FILE = Path("/c/config.toml")
KEYS = ["host", "port", "listen", "ttl", "devices"]
SECTIONS = ["http", "residency", "models"]

NAMED = st.tuples(st.sampled_from(SECTIONS), st.sampled_from(KEYS))
STRINGS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
VALUES: st.SearchStrategy[Any] = (
    st.integers(-(1 << 40), 1 << 40)
    | st.booleans()
    | STRINGS
    | st.lists(STRINGS, max_size=3)
    | st.dictionaries(STRINGS, STRINGS, max_size=2)
)

# --- files as people write them ------------------------------------------------------------------

REMARKS = st.sampled_from(["", "", "# a remark", "  # port = 1", "#host = 'x' # y", "# [http]", "\t# é"])
WRITTEN = st.sampled_from(
    [
        "1",
        "'a'",
        '"b # no remark"',
        "[1, 2]",
        '[\n  "a", # one\n  # port = 2\n  "]",\n]',
        '"""\nport = 9\n[http]\n"""',
        "{ a = 1 }",
    ]
)
BEHIND = st.sampled_from(["", "", " # behind"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML with remarks anywhere, and sections as tables, inline tables, dotted keys or tables in tables."""
    rows: list[str] = draw(st.lists(REMARKS, max_size=2))
    names = draw(st.permutations(SECTIONS))[: draw(st.integers(0, 3))]
    form = {name: draw(st.sampled_from(["table", "table", "table", "inline", "dotted", "sub"])) for name in names}
    for name in sorted(names, key=lambda name: form[name] not in ("inline", "dotted")):
        keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=4))
        pairs = [(key, draw(WRITTEN)) for key in keys]
        if form[name] == "inline":
            inside = ", ".join(f"{key} = {value}" for key, value in pairs if "\n" not in value)
            rows.append(f"{name} = {{ {inside} }}{draw(BEHIND)}")
            continue
        if form[name] == "sub":
            rows.append(f"[{name}.devices]{draw(BEHIND)}")
        elif form[name] == "table":
            rows.append(draw(st.sampled_from([f"[{name}]", f"[ {name} ]", f'["{name}"]  # section'])))
        indent = draw(st.sampled_from(["", "", "  "]))
        prefix = f"{name}." if form[name] == "dotted" else ""
        for key, value in pairs:
            rows += draw(st.lists(REMARKS, max_size=1))
            rows.append(f"{indent}{prefix}{key} = {value}{draw(BEHIND)}")
        rows += draw(st.lists(REMARKS, max_size=3))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return newline.join(rows) + draw(st.sampled_from(["", newline]))


def without_empty(tables: dict[str, Any]) -> dict[str, Any]:
    return {name: table for name, table in tables.items() if table != {}}


def rows(text: str) -> list[str]:
    return [row.rstrip() for row in text.split("\n") if row.strip()]


def is_within(some: list[str], others: list[str]) -> bool:
    """Do all of them stand among the others, in that order?"""
    rest = iter(others)
    return all(any(row == other for other in rest) for row in some)


@given(text=documents(), key=NAMED, value=VALUES)
@example("[http]\n", ("http", "port"), 1)
@example("", ("http", "port"), 1)
@example("[residency.devices]\na = 1", ("residency", "ttl"), "15m")
@example("[residency.devices]\na = 1", ("residency", "devices"), {"b": "1"})
def test_a_key_is_set_and_all_else_stays(text: str, key: tuple[str, str], value: Plain) -> None:
    section, name = key
    before = tomllib.loads(text)
    try:
        after = assign(FILE, text, key, value)
    except Refused:
        assert "{" in text and f"{section} =" in text  # an inline table
        return
    wanted = {**before, section: {**before.get(section, {}), name: value}}
    assert tomllib.loads(after) == wanted
    others = [other for other in wanted[section] if other != name]
    assert [other for other in tomllib.loads(after)[section] if other != name] == others
    if name not in before.get(section, {}) and f"{section} = {{" not in text:
        assert is_within(rows(text), rows(after))
        assert len(rows(after)) - len(rows(text)) in (1, 2)  # the key, and perhaps a header
    remarks = [row for row in rows(text) if row.lstrip().startswith("#")]
    if not isinstance(before.get(section, {}).get(name), list | str | dict):
        assert is_within(remarks, rows(after))


@given(text=documents(), key=NAMED)
def test_a_key_is_taken_out_and_all_else_stays(text: str, key: tuple[str, str]) -> None:
    before = tomllib.loads(text)
    after = remove(FILE, text, key)
    section, name = key
    if name not in before.get(section, {}):
        assert after == text
        return
    wanted = {**before, section: {other: value for other, value in before[section].items() if other != name}}
    assert without_empty(tomllib.loads(after)) == without_empty(wanted)
    if f"{section} = {{" not in text:
        assert is_within(rows(after), rows(text))


@given(text=documents(), key=NAMED, value=VALUES)
def test_what_is_set_and_unset_again_leaves_no_trace_but_a_header(
    text: str, key: tuple[str, str], value: Plain
) -> None:
    section, name = key
    assume(name not in tomllib.loads(text).get(section, {}) and f"{section} = {{" not in text)
    after = rows(remove(FILE, assign(FILE, text, key, value), key))
    assert after in (rows(text), [*rows(text), f"[{section}]"])


@given(text=documents(), key=NAMED, value=VALUES)
def test_the_same_again_changes_nothing(text: str, key: tuple[str, str], value: Plain) -> None:
    try:
        once = assign(FILE, text, key, value)
    except Refused:
        return
    assert tomllib.loads(assign(FILE, once, key, value)) == tomllib.loads(once)


# --- where it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "[http]\nport = 1\n"),
        ("[models]\nwatch = true", "[models]\nwatch = true\n\n[http]\nport = 1\n"),
        ("[http]\nport = 8134 # mine\n", "[http]\nport = 1 # mine\n"),
        (
            "[http]\n# the port\n#port = 8134\n\n# more\n#listen = []\n",
            "[http]\n# the port\n#port = 8134\nport = 1\n\n# more\n#listen = []\n",
        ),
        ("[http]\nhost = 'x'\n\n# models\n[models]\n", "[http]\nhost = 'x'\nport = 1\n\n# models\n[models]\n"),
        ("[http]\n\n[models]\n", "[http]\nport = 1\n\n[models]\n"),
        ("[http]\n  host = 'x'\n[models]\n", "[http]\n  host = 'x'\n  port = 1\n[models]\n"),
        ("[http]\r\nhost = 'x'\r\n", "[http]\r\nhost = 'x'\r\nport = 1\r\n"),
        ("http.host = 'x'\n", "http.host = 'x'\nhttp.port = 1\n"),
    ],
)
def test_where_a_key_goes(text: str, after: str) -> None:
    assert assign(FILE, text, ("http", "port"), 1) == after


def test_an_inline_table_stays_one() -> None:
    after = assign(FILE, "http = { host = 'x' } # y\n", ("http", "port"), 1)
    assert after.replace(" ", "") == "http={host='x',port=1}#y\n"


def test_a_text_that_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(BadRequest, match=r"/c/config\.toml, line 2"):
        assign(FILE, "[http]\nport 1\n", ("http", "port"), 1)
    with pytest.raises(BadRequest, match=r"/c/config\.toml, line 2"):
        remove(FILE, "[http]\nport 1\n", ("http", "port"))


def test_what_cannot_be_changed_is_left_to_the_editor() -> None:
    with pytest.raises(Refused, match=r"http\.port cannot be changed") as caught:
        assign(FILE, "[[http]]\nport = 1\n", ("http", "port"), 2)
    assert caught.value.hint == "llamactl config edit"
