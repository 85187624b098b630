from typing import Any

import pytest
from trio.testing import MockClock


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Virtual time: as soon as everybody sleeps it is later. Hours pass in milliseconds, and to the microsecond."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}
