"""What a unit says of the programs."""

import sys
from pathlib import Path

import pytest

from llamactl.config import systemd


def test_where_a_program_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "a place" / "python"
    python.parent.mkdir()
    monkeypatch.setattr(sys, "executable", str(python))
    assert systemd._program("llamactld") == f'"{python}" -m llamactl daemon run'
    python.with_name("llamactld").touch()
    assert systemd._program("llamactld") == f'"{tmp_path}/a place/llamactld"'
