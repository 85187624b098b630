"""What is read is what the `gguf` package reads."""

from pathlib import Path

import gguf as reference
import pytest

from llamactl.catalogue.gguf import read
from llamactl.catalogue.gguf.types import POOLINGS, QUANTISATIONS, TENSOR_TYPES
from tests.engines.tiny_model import write_tiny_model

from . import files
from .architectures import ARCHITECTURES, write
from .oracle import told


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_architecture(tmp_path: Path, architecture: str) -> None:
    path = write(tmp_path / "a.gguf", architecture)
    assert read(path) == told(path)


def test_the_tiny_model(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "a.gguf")
    assert read(path) == told(path)


@pytest.mark.parametrize("version", [2, 3])
def test_long_and_short_strings_in_any_number(tmp_path: Path, version: int) -> None:
    for tokens in (0, 1, 127, 128, 129, 1000):
        values = {
            "general.architecture": files.text("llama"),
            "general.name": files.text("before"),
            **files.vocabulary(tokens, 2 * tokens, seed=tokens),
            "general.license": files.text("after"),
        }
        path = tmp_path / f"{tokens}.gguf"
        path.write_bytes(files.whole(values, [files.tensor("output.weight", [3], 0, 0)], bytes(12), version=version))
        assert read(path) == told(path)
        assert read(path).licence == "after"


def test_the_types_are_those_of_the_reference() -> None:
    sizes = {kind: packing for kind, packing in TENSOR_TYPES.items() if packing.name != "Q8_1"}
    theirs = {int(kind): (kind.name, *reference.GGML_QUANT_SIZES[kind]) for kind in reference.GGMLQuantizationType}
    assert theirs.pop(9)[0] == TENSOR_TYPES[9].name, "a type of no file, of which the package has an old size"
    assert sizes == theirs
    kinds = {int(kind): kind.name for kind in reference.LlamaFileType if kind != reference.LlamaFileType.GUESSED}
    assert {kind: name.split("_", 1)[1].removesuffix("_MOE") for kind, name in kinds.items()} == QUANTISATIONS
    assert {int(kind): kind.name.lower() for kind in reference.PoolingType} == POOLINGS
