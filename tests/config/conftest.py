from pathlib import Path

import pytest

from .reading import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the user's file; gives its path."""

    def put(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return put
