import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest
from llamactl.core.units import parse_duration, parse_size, show_count, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("1048576", 1048576),
        ("90b", 90),
        ("12GiB", 12 << 30),
        ("12 gib", 12 << 30),
        ("12g", 12 << 30),
        ("12gi", 12 << 30),
        ("1.5G", 3 << 29),
        ("500MB", 500_000_000),
        ("2kB", 2000),
        ("2KiB", 2048),
        ("1t", 1 << 40),
        ("1TB", 10**12),
        ("  7 m  ", 7 << 20),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_a_size_is_read(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", " ", "GiB", "-1", -1, "1.2.3g", "1,5g", "1e9", "12 GiBs", "12pb", "0x10", "1 2", "9" * 400, "1.g", "٣g"],
)
def test_what_is_not_a_size_is_refused(text: str | int) -> None:
    with pytest.raises(BadRequest, match="size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (-1, -1.0),
        ("-1", -1.0),
        (" -1 ", -1.0),
        ("90", 90.0),
        ("90s", 90.0),
        ("250ms", 0.25),
        ("15m", 900.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1H30M", 5400.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("1w", 604800.0),
        ("1d 2h 3m 4s", 93784.0),
        (" 5 s ", 5.0),
    ],
)
def test_a_duration_is_read(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "m", "-2", -2, -0.5, "- 1", "1e3", "1h30", "1 30", "5 5m", "1.2.3", "10 minutes", "9" * 400, "5ſ", "٣m"],
)
def test_what_is_not_a_duration_is_refused(text: str | float) -> None:
    with pytest.raises(BadRequest, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", [float("nan"), float("inf"), "nan", "inf"])
def test_a_duration_is_finite(text: str | float) -> None:
    with pytest.raises(BadRequest, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (100 << 10, "100 KiB"),
        ((1 << 20) - 1, "1 MiB"),
        (1010 << 20, "1010 MiB"),
        (3 << 29, "1.5 GiB"),
        (12_345_678_901, "11.5 GiB"),
        (5 << 40, "5 TiB"),
        (5000 << 40, "5000 TiB"),
        (-(3 << 29), "-1.5 GiB"),
        (-(200 << 20), "-200 MiB"),
    ],
)
def test_a_size_is_shown(size: float, shown: str) -> None:
    assert show_size(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, "0s"),
        (0.4, "0s"),
        (3, "3s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (125, "2m05s"),
        (3599.7, "1h00m"),
        (3725, "1h02m"),
        (86399, "23h59m"),
        (273_600, "3d04h"),
    ],
)
def test_a_duration_is_shown(seconds: float, shown: str) -> None:
    assert show_duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1_234, "1.23K"), (134_515_008, "135M"), (8_190_735_360, "8.19B"), (1e12, "1T")],
)
def test_a_count_is_shown(count: float, shown: str) -> None:
    assert show_count(count) == shown


@given(st.integers(0, 1 << 50))
def test_a_size_as_shown_can_be_read_again(size: int) -> None:
    assert parse_size(show_size(size)) == pytest.approx(size, rel=0.006)


@given(st.integers(0, 10**7))
def test_a_duration_as_shown_can_be_read_again(seconds: int) -> None:
    assert parse_duration(show_duration(seconds)) == pytest.approx(seconds, rel=0.05, abs=1)


@given(st.text(max_size=12) | st.text("0123456789.kmgtibshd -", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_size, parse_duration):
        try:
            assert parse(text) >= -1
        except BadRequest as refused:
            assert refused.hint
