"""A comparison that lets through what differs each time, and nothing else."""

import pytest

from tests.readme.blocks import blocks, commands
from tests.readme.loose import difference


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ("ready after 0.6 s", "ready after 12 s"),
        ("16.2 MiB", "1.5 GiB"),
        ("NAME      SIZE  TTL\nx     93.8 MiB  15m00s", "NAME  SIZE   TTL\nx   458 KiB    59s"),
        ("135M  Q4_1", "7.62B  Q2_K"),
        ("at unix://…", "at unix:///tmp/3f.sock"),
        ("a\n…\nb", "a\nb"),
        ("a\n…\nb", "a\nx\ny\nb"),
        ("…", ""),
        ("pid 17", "pid 4242  "),
    ],
)
def test_the_same(told: str, seen: str) -> None:
    assert difference(told, seen) == ""


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ("x is ready", "x is stopped"),
        ("x is ready\n", ""),
        ("", "a line more"),
        ("200    0.008", "200 client_left  0.008"),
        ("a\n…\nb", "a\nx\nc"),
        ("one …", "two lines\none"),
        ("MODEL  TTL", "MODEL"),
        ("12 GiB", "12"),
    ],
)
def test_not_the_same(told: str, seen: str) -> None:
    assert difference(told, seen)


def test_blocks_and_commands() -> None:
    text = "a\n\n<!-- not run: no GPU -->\n```sh\nx\n```\n\n```console\n$ one \\\n    two\nseen\n$ three\n```\n"
    first, second = blocks(text)
    assert (first.kind, first.text, first.why, first.line) == ("sh", "x\n", "no GPU", 5)
    assert (second.why, second.line) == ("", 9)
    assert commands(second.text) == [("one \\\n    two\n", "seen\n"), ("three\n", "")]
