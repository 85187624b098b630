"""Real daemons in homes of their own."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llamactl.core.errors import LlamactlError
from llamactl.llamaserver import locate
from tests.e2e.running import Daemon, Home, fake_engine
from tests.engines.tiny_model import write_tiny_model
from tests.leftovers import put_down

Begin = Callable[..., Daemon]


@pytest.fixture(autouse=True)
def nobody_left(mark: str) -> Iterator[None]:
    yield
    assert not put_down(mark)


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:  # short: sockets lie in it
        yield Home(Path(place))


@pytest.fixture
def begin(home: Home) -> Iterator[Begin]:
    """`begin(**settings)` starts a daemon with the fake llama-server; all are ended after the test."""
    started: list[Daemon] = []

    def begin(**settings: str) -> Daemon:
        daemon = Daemon(home, **{**fake_engine(), **settings})
        started.append(daemon)
        return daemon.wait_until_up()

    yield begin
    for daemon in started:
        daemon.end()


@pytest.fixture
def daemon(begin: Begin) -> Daemon:
    return begin()


@pytest.fixture(scope="session")
def real_engine() -> str:
    """The path of a real llama-server; its libraries lie beside it."""
    try:
        engine = locate._packaged() or locate.find()
    except LlamactlError as error:
        pytest.skip(f"no real llama-server: {error.message}")
    return engine.path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that a real llama-server loads in a quarter of a second."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")
