import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest
from llamactl.core.model import Model, name_from_file, valid_name


@pytest.mark.parametrize("name", ["a", "7b", "Qwen3-0.6B", "org/repo:Q4_K_M", "a@b+c", "x" * 255])
def test_a_name_that_fits_into_a_url_is_taken_as_it_is(name: str) -> None:
    assert valid_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "-x", ".x", "/x", "a b", "a\n", "ä", "a?b", "a#b", "a%b", "x" * 256])
def test_other_names_are_refused_with_the_rule(name: str) -> None:
    with pytest.raises(BadRequest, match="not a model name") as refused:
        valid_name(name)
    assert "letters, digits" in refused.value.hint


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1", "smollm2-135m-instruct-q4_1"),
        ("Meta Llama 3 (8B)", "meta-llama-3-8b"),
        ("qwen2.5-coder", "qwen2.5-coder"),
        ("Ünïcode", "n-code"),
        ("--x--", "x"),
        ("...", "model"),
        ("", "model"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_file_gives_its_name(stem: str, name: str) -> None:
    assert name_from_file(stem) == name


@given(st.text())
def test_every_file_gives_a_valid_name(stem: str) -> None:
    name = name_from_file(stem)
    assert valid_name(name) == name == name.lower()


def test_a_model_crosses_a_boundary_unchanged_and_says_only_what_is_set() -> None:
    plain = Model(name="a", path="/models/a.gguf", size=3)
    assert msgspec.json.encode(plain) == b'{"name":"a","path":"/models/a.gguf","size":3}'
    model = Model(
        name="b", path="/models/b.gguf", size=3, aliases=("c",), settings={"ctx-size": 4096, "mlock": True, "seed": 1.5}
    )
    assert msgspec.json.decode(msgspec.json.encode(model), type=Model) == model
