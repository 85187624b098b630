"""Settings that use what lies beside a model, and what does without."""

import pytest

from llamactl.core.model import Companion, Model, Setting
from llamactl.core.parameters.layers import BESIDE, Effective, Layer, effective

MODEL = Model(
    name="a",
    path="/m/a.gguf",
    size=1,
    projector=Companion(path="/m/mmproj.gguf", size=2, modalities=("image",)),
    draft=Companion(path="/m/draft.gguf", size=3),
)


def counting(settings: dict[str, Setting]) -> dict[str, Effective]:
    return effective([Layer(BESIDE, MODEL.beside(), "a"), Layer("model", settings, "a")])


def test_what_lies_beside_is_used_and_says_where_it_comes_from() -> None:
    found = counting({"threads": 2})
    assert {name: (one.value, one.layer.origin) for name, one in found.items()} == {
        "threads": (2, "model"),
        "mmproj": ("/m/mmproj.gguf", "found beside it"),
        "model_draft": ("/m/draft.gguf", "found beside it"),
    }
    assert found["mmproj"].layer.way_out("mmproj") == "do without it: llamactl models set a mmproj_auto=off"
    assert found["mmproj"].layer.way_out("model_draft") == "do without it: llamactl models set a spec_type=none"


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"mmproj": "/x"}, {"mmproj", "model_draft"}),
        ({"mmproj_auto": False}, {"mmproj_auto", "model_draft"}),
        ({"mmproj_auto": True}, {"mmproj_auto", "mmproj", "model_draft"}),
        ({"mmproj_url": "https://x"}, {"mmproj_url", "model_draft"}),
        ({"spec_type": "none"}, {"spec_type", "mmproj"}),
        ({"spec_type": "ngram-simple"}, {"spec_type", "mmproj", "model_draft"}),
        ({"hf_repo_draft": "x/y"}, {"hf_repo_draft", "mmproj"}),
        ({"hf_repo": "x/y"}, {"hf_repo"}),
    ],
)
def test_what_does_without(settings: dict[str, Setting], left: set[str]) -> None:
    assert set(counting(settings)) == left


def test_what_is_not_certain_is_not_used() -> None:
    model = Model(name="a", path="/a", size=1, draft=Companion(path="/b", size=1, certain=False))
    assert model.beside() == {} and Model(name="a", path="/a", size=1).beside() == {}
