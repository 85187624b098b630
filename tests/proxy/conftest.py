from collections.abc import Iterator
from typing import Any

import pytest

from llamactl.proxy.record import Journal
from tests.proxy.wire import ID

try:
    import uvloop  # noqa: F401  # only whether it is there

    LOOPS = {"uvloop": True, "asyncio": False}
except ImportError:
    LOOPS = {"asyncio": False}


@pytest.fixture(autouse=True)
def one_id() -> Iterator[None]:
    """Every request that has none gets the same, so that answers can be compared to the byte."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "header", lambda _: b"X-Request-Id: %b\r\n" % ID)
        yield


@pytest.fixture(params=list(LOOPS))
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Every loop that the daemon may run on."""
    return "asyncio", {"use_uvloop": LOOPS[request.param]}
