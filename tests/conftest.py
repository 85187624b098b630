"""A guard for every ring: no process that the tests started outlives them."""

import uuid
from collections.abc import Iterator

import pytest

from tests.leftovers import put_down


@pytest.fixture(autouse=True, scope="session")
def mark() -> Iterator[str]:
    """In the environment of all that this run of the tests starts, so that another run beside it is left alone."""
    mark = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARTED_BY_TESTS", mark)
        yield mark
    assert not put_down(mark)
