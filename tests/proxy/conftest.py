from typing import Any

import pytest

try:
    import uvloop  # noqa: F401  # only whether it is there

    LOOPS = {"uvloop": True, "asyncio": False}
except ImportError:
    LOOPS = {"asyncio": False}


@pytest.fixture(params=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Every loop that the daemon may run on."""
    return "asyncio", {"use_uvloop": LOOPS[request.param]}
