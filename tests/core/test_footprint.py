from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.footprint import OVERHEAD, estimate
from llamactl.core.model import HOST, Model


def model(size: int) -> Model:
    return Model(name="m", path="/models/m.gguf", size=size)


def test_the_weights_a_tenth_of_them_and_the_overhead() -> None:
    assert estimate(model(0)) == {HOST: OVERHEAD}
    assert estimate(model(10 << 30)) == {HOST: (11 << 30) + OVERHEAD}


@given(st.integers(0, 1 << 42), st.integers(0, 1 << 42))
def test_a_larger_file_never_needs_less(size: int, more: int) -> None:
    smaller, larger = estimate(model(size))[HOST], estimate(model(size + more))[HOST]
    assert size < smaller <= larger
