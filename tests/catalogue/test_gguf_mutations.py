"""Whatever is in a file, it is facts or a reason, soon and in little memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamactl.catalogue.gguf import NotUsable, read
from tests.catalogue import mutations

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sound", [mutations.small, mutations.large])
def test_what_is_changed_was_sound(tmp_path: Path, sound: Callable[[], tuple[bytes, int]]) -> None:
    (tmp_path / "a").write_bytes(sound()[0])
    found = read(tmp_path / "a")
    assert found.architecture == "llama" and found.layer_bytes


def test_any_file_is_facts_or_a_reason_within_bounds(tmp_path: Path) -> None:
    for what in mutations.HOSTILE:
        mutations.write_hostile(tmp_path / what, what)
    line = [sys.executable, "-m", "tests.catalogue.mutations", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    for what in mutations.HOSTILE:
        (tmp_path / what).unlink()
    assert done.returncode == 0, done.stderr
    outcome = msgspec.json.decode(done.stdout, type=mutations.Outcome)

    assert outcome.seconds < 1
    assert outcome.memory < 100 << 20
    for reason in (reason for corpus in outcome.told.values() for reason in corpus if reason):
        assert reason.startswith("it ") and reason.isprintable() and len(reason) < 300

    cut, flipped, lying = (outcome.told[corpus] for corpus in ("cut", "flipped", "lying"))
    assert len(cut) > 200 and len(flipped) == mutations.FLIPS and len(lying) > 1000
    assert [reason for reason in cut if "truncated" not in reason and reason != "it is empty"] == []
    assert cut[-1 - mutations.CUTS] == f"it is truncated: 1 bytes missing of {len(mutations.small()[0])}"
    assert 50 < flipped.count("") < len(flipped) - 50, "many bits are those of names, and some of lengths"
    assert len(set(lying)) > 20
    assert set(outcome.told["hostile"]) == {""}, "llama-server may load them, in its own good time"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_leaves_facts_or_a_reason(tmp_path: Path, data: st.DataObject) -> None:
    whole, header = mutations.small()
    at = data.draw(st.integers(4, header))
    after = at + data.draw(st.integers(0, 40))
    (tmp_path / "a").write_bytes(whole[:at] + data.draw(st.binary(max_size=40)) + whole[after:])
    try:
        read(tmp_path / "a")
    except NotUsable as error:
        assert error.message == f"{tmp_path / 'a'} is not usable because {error.reason}"
