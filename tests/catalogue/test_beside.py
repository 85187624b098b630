"""Which projectors and draft models belong to which models."""

from pathlib import Path, PurePath

import pytest

from llamactl.catalogue import examine, walk
from llamactl.catalogue.beside import Links, Neighbour
from llamactl.catalogue.gguf import NotUsable
from llamactl.core.facts import Facts

from .files import BOOL, gguf, number, text
from .models import language_model, projector


def linked(*files: str) -> dict[str, str]:
    """The projector of each model, of paths below `/m`."""
    neighbours = [
        Neighbour(f"/m/{file}", PurePath(file).name, 1, Facts(kind="mmproj" if "mmproj" in file else "model"))
        for file in files
    ]
    links = Links(neighbours)
    found = {one.path[3:]: links.projector(one) for one in neighbours if not one.is_projector}
    return {model: companion.path[3:] for model, companion in found.items() if companion}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # One without a name, for all quantisations of one model.
        ((*(models := ("gemma-3-4b-it-Q4_K_M", "gemma-3-4b-it-UD-Q6_K_XL", "gemma-3-4b-it-BF16")), "mmproj-F16"),
         dict.fromkeys(models, "mmproj-F16")),
        # One without a name, and two models: whose?
        (("gemma-3-4b-it-Q4_K_M", "qwen3-8b-q8_0", "mmproj-model-f16"), {}),
        # With a name it is clear, finetunes included.
        (("gemma-3-4b-it-q4_0", "gemma-3-12b-it-q4_0", "google_gemma-3-4b-it-abliterated-q4_0", "qwen3-8b-q8_0",
          "mmproj-gemma-3-4b-it-f16"),
         dict.fromkeys(("gemma-3-4b-it-q4_0", "google_gemma-3-4b-it-abliterated-q4_0"), "mmproj-gemma-3-4b-it-f16")),
        (("Qwen2.5-VL-7B-Instruct-Q4_K_M", "Qwen2.5-VL-7B-Instruct.mmproj-Q8_0"),
         {"Qwen2.5-VL-7B-Instruct-Q4_K_M": "Qwen2.5-VL-7B-Instruct.mmproj-Q8_0"}),
        # The best of several: named before nameless, then F16, BF16, others.
        (("a-1b-q4_0", "mmproj-a-1b-q8_0", "mmproj-f16"), {"a-1b-q4_0": "mmproj-a-1b-q8_0"}),
        (("a-q4_0", "mmproj-f32", "mmproj-bf16", "mmproj-fp16", "mmproj-q8_0"), {"a-q4_0": "mmproj-fp16"}),
        (("a-q4_0", "mmproj-f32", "mmproj-BF16", "mmproj-q8_0"), {"a-q4_0": "mmproj-BF16"}),
        (("a-q4_0", "mmproj-iq4_xs", "mmproj-q8_0"), {"a-q4_0": "mmproj-q8_0"}),
        # Quantisations in directories of their own below it; never further, never beside.
        (("r/mmproj-F16", *(below := ("r/Q4/a-q4_0", "r/Q8/a-q8_0"))), dict.fromkeys(below, "r/mmproj-F16")),
        (("r/mmproj-F16", "r/Q4/mmproj-q8_0", "r/Q4/a-q4_0"), {"r/Q4/a-q4_0": "r/Q4/mmproj-q8_0"}),
        (("r/mmproj-a-F16", "r/x/y/a-q4_0", "a-q4_0", "s/a-q4_0"), {}),
        # What drafts needs none.
        (("a-draft-q4_0", "a-q4_0", "mmproj-f16"), {"a-q4_0": "mmproj-f16"}),
    ],
)  # fmt: skip
def test_which_projector_is_for_which_model(files: tuple[str, ...], expected: dict[str, str]) -> None:
    assert linked(*files) == linked(*reversed(files)) == expected


def test_projectors_are_found_by_what_they_are_and_are_no_models(tmp_path: Path) -> None:
    model = language_model(tmp_path / "m" / "Gemma-3-4b-Q4_0.gguf")
    other = projector(tmp_path / "m" / "vision-gemma-3-4b.gguf", clip__has_audio_encoder=number(BOOL, True))
    found = walk([tmp_path])
    [file] = found.files
    assert file.path == str(model) and file.projector is not None and found.unusable == ()
    assert (file.projector.path, file.projector.size) == (str(other), other.stat().st_size)
    assert file.projector.modalities == ("image", "audio")
    assert examine(model).files == found.files
    with pytest.raises(NotUsable, match="projector"):
        examine(other)


def test_a_projector_that_is_broken_is_told_of(tmp_path: Path) -> None:
    language_model(tmp_path / "a.gguf")
    gguf(tmp_path / "mmproj.gguf", 20)
    found = walk([tmp_path])
    assert [file.projector for file in found.files] == [None]
    assert [one.reason for one in found.unusable] == ["it is truncated (20 bytes)"]


def drafts(directory: Path) -> dict[str, tuple[str, bool]]:
    return {
        file.name: (Path(file.draft.path).name, file.draft.certain) for file in walk([directory]).files if file.draft
    }


def test_a_draft_model_of_the_same_name_and_vocabulary_is_certain(tmp_path: Path) -> None:
    language_model(tmp_path / "Qwen3-8B-Q4_K_M.gguf", tokens=9)
    language_model(tmp_path / "Qwen3-8B-draft-Q8_0.gguf", tokens=9)
    language_model(tmp_path / "Other-8B-Q4_K_M.gguf", tokens=7)
    assert drafts(tmp_path) == {"qwen3-8b-q4_k_m": ("Qwen3-8B-draft-Q8_0.gguf", True)}
    assert "qwen3-8b-draft-q8_0" in {file.name for file in walk([tmp_path]).files}, "it can answer by itself too"


def test_one_of_another_name_or_one_of_several_is_only_a_hint(tmp_path: Path) -> None:
    language_model(tmp_path / "Qwen3-8B.gguf", tokens=9)
    language_model(tmp_path / "Qwen3-0.6B-draft.gguf", tokens=9)
    assert drafts(tmp_path) == {"qwen3-8b": ("Qwen3-0.6B-draft.gguf", False)}
    for quantisation in ("f16", "q4_0"):
        language_model(tmp_path / f"Qwen3-8B-draft-{quantisation}.gguf", tokens=9)
    assert drafts(tmp_path) == {"qwen3-8b": ("Qwen3-8B-draft-f16.gguf", False)}


def test_what_can_only_draft_is_no_model(tmp_path: Path) -> None:
    eagle = language_model(tmp_path / "Qwen3-8B-eagle3.gguf", general__architecture=text("eagle3"))
    with pytest.raises(NotUsable, match="answers nothing by itself"):
        examine(eagle)
    assert [one.reason for one in walk([tmp_path]).unusable] == ["it is a draft model, which answers nothing by itself"]
    language_model(tmp_path / "Qwen3-8B.gguf")
    found = walk([tmp_path])
    assert [file.name for file in found.files] == ["qwen3-8b"] and found.unusable == ()
    assert drafts(tmp_path) == {"qwen3-8b": ("Qwen3-8B-eagle3.gguf", False)}


@pytest.mark.parametrize(("kind", "says"), [("adapter", "lora"), ("imatrix", "quantising")])
def test_other_kinds_of_gguf_are_told_of(tmp_path: Path, kind: str, says: str) -> None:
    language_model(tmp_path / "a.gguf", general__type=text(kind))
    found = walk([tmp_path])
    assert not found.files and says in found.unusable[0].reason
