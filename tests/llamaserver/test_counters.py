"""Rates of what a llama-server counts."""

from llamactl.llamaserver.counters import counted, read

BODY = b"""# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 15
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 81.5
llamacpp:spec_decode_num_accepted_tokens_per_pos_total{position="0"} 4
llamacpp:odd nan
other:thing 1
"""


def test_what_it_says() -> None:
    found = read(BODY)
    assert found.pop("odd") != 0
    assert found == {"prompt_tokens_total": 15, "predicted_tokens_seconds": 81.5}
    assert read(b"<html>") == {}


def test_rates_are_of_totals_only() -> None:
    first = counted(None, 1, 10.0, {"a_total": 100.0, "b": 5.0})
    assert (first.rates, first.total("a_total"), first.total("c_total")) == ({}, 100, None)
    second = counted(first, 1, 14.0, {"a_total": 108.0, "b": 9.0, "new_total": 3.0})
    assert second.rates == {"a_total": 2.0}
    assert counted(second, 1, 14.0, {"a_total": 108.0}).rates == second.rates, "no time has passed"


def test_one_that_began_anew_has_no_rate_and_loses_nothing() -> None:
    before = counted(None, 1, 10.0, {"a_total": 100.0})
    for pid in (1, 2):
        anew = counted(before, pid, 12.0, {"a_total": 30.0})
        assert (anew.rates, anew.total("a_total")) == ({}, 130)
        again = counted(anew, pid, 14.0, {"a_total": 40.0})
        assert (again.rates, again.total("a_total")) == ({"a_total": 5.0}, 140)
