"""CHANGELOG.md keeps the form that it says."""

import re
from datetime import date
from pathlib import Path

LINES = (Path(__file__).parents[1] / "CHANGELOG.md").read_text().splitlines()
SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_versions_are_dated_and_the_newest_comes_first() -> None:
    first, *released = [line for line in LINES if line.startswith("## ")]
    assert first == "## [Unreleased]"
    found = [re.fullmatch(r"## \[(\d+)\.(\d+)\.(\d+)\] - (\S+)", line) for line in released]
    versions = [tuple(map(int, each.groups()[:3])) for each in found if each]
    days = [date.fromisoformat(each[4]) for each in found if each]
    assert len(versions) == len(released)
    assert versions == sorted(set(versions), reverse=True)
    assert days == sorted(days, reverse=True)


def test_sections_are_those_of_keep_a_changelog() -> None:
    """In each version: each at most once, in their order, none without a line."""
    _, *versions = "\n".join(LINES).split("\n## ")
    for version in versions:
        _, *sections = version.split("\n### ")
        names = [section.partition("\n")[0] for section in sections]
        assert names == sorted(set(names), key=SECTIONS.index)
        assert all("\n- " in section for section in sections)


def test_each_thing_has_a_line() -> None:
    """A list of single lines under the name of what it is about; nothing twice."""
    _, _, *body = "\n".join(LINES).partition("\n## ")[2].splitlines()
    for line in filter(None, body):
        assert re.fullmatch(r"- .{1,118}[.:]|#{2,3} .*|[A-Z][\w ]+", line), line
    items = [line for line in body if line.startswith("- ")]
    assert len(items) == len(set(items))
