"""Every key is documented in one place; the example file is made from it."""

import re
import tomllib
from pathlib import Path

import pytest

from llamactl.config.changes import RESTART, Changes, changed
from llamactl.config.describe import Described, about_section, describe
from llamactl.config.example import example
from llamactl.config.load import load
from llamactl.config.sections import SECTIONS
from llamactl.config.sources import check

from .reading import NO_FILE, Write, read

EXAMPLE = Path(__file__).parents[2] / "systemd" / "llamactl.example.toml"


@pytest.mark.parametrize("described", describe(), ids=lambda described: described.key)
def test_every_key_says_what_it_is_for(described: Described) -> None:
    assert re.fullmatch(r"[A-Z0-9-].*[^ .]\.", described.about) and len(described.about) > 10
    assert described.may_be
    assert described.secret == (described.name in ("hf_token", "api_key", "mcp_servers_json", "webhook"))


def test_every_section_says_what_it_is_for() -> None:
    assert all(about_section(section) for section in SECTIONS)


def test_the_example_file_is_that_of_this_version() -> None:
    assert EXAMPLE.read_text() == example(), f"python -m llamactl.config.example > {EXAMPLE}"


def test_the_example_changes_nothing(write: Write) -> None:
    assert read(write(example())) == read(write(""))
    in_full = re.sub(r"(?m)^#(?=\w+ = )", "", example())
    assert read(write(in_full)) == read(write(""))
    assert {f"{section}.{key}" for section, keys in tomllib.loads(in_full).items() for key in keys} == {
        described.key for described in describe()
    }
    assert check(Path("/x.toml"), in_full) == []


def test_the_example_can_be_read_at_a_glance() -> None:
    assert max(map(len, example().splitlines())) <= 110


# --- what changes --------------------------------------------------------------------------------


def test_every_key_of_the_table_exists() -> None:
    assert {described.key for described in describe()} >= RESTART
    assert {described.key for described in describe() if described.needs_restart} == RESTART


def test_what_differs_is_told_in_order_and_by_what_it_takes(write: Write) -> None:
    old = load(write("[residency]\nttl = 1"), {}, NO_FILE)
    new = load(write("[http]\nport = 1\nmax_body = 1\n[residency]\nttl = 2\ndrain = '30s'"), {}, NO_FILE)
    assert changed(old, new) == Changes(live=("http.max_body", "residency.ttl"), restart=("http.port",))
    assert changed(new, new) == Changes() and not changed(new, new)
    assert changed(old, new)
