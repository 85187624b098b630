"""A guard for every ring: no process that the tests started outlives them."""

import signal
import uuid
from collections.abc import Iterator

import pytest

from tests.leftovers import put_down

for each in (signal.SIGINT, signal.SIGHUP):
    # Ignored, as under nohup or in a script's background, it would be so in whatever a test starts; a handler is not
    # inherited.
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, lambda *_: None)


@pytest.fixture(autouse=True, scope="session")
def mark() -> Iterator[str]:
    """In the environment of all that this run of the tests starts, so that another run beside it is left alone."""
    mark = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARTED_BY_TESTS", mark)
        yield mark
    assert not put_down(mark)
