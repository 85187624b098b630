"""What CONTRIBUTING says of the code is so."""

import re

import pytest

from llamactl.cli.documents import ROOT
from tests.readme.blocks import blocks
from tests.test_architecture import MAY_IMPORT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = re.findall(r"^## (Adding .*)\n\n((?:.+\n)+)", CONTRIBUTING, re.MULTILINE)


def test_what_it_names_is_there() -> None:
    named = set(re.findall(r"(?<![\w/.])(?:llamactl|tests|\.ci)/[\w/.]*", CONTRIBUTING))
    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_sentence_has_every_package() -> None:
    sentence = CONTRIBUTING.partition("The folders are a sentence:")[2].partition("\n\n")[0]
    assert {name.removesuffix("s") for name in re.findall(r"\*\*(\w+)\*\*", sentence)} == {
        name.removesuffix("s") for name in MAY_IMPORT
    }


@pytest.mark.parametrize(("title", "steps"), RECIPES, ids=[title for title, _ in RECIPES])
def test_recipes_are_short(title: str, steps: str) -> None:
    assert len(steps.splitlines()) <= 10
    for word, file in re.findall(r"`(?:\w+\.)?(\w+)`, in `([\w/.]+)`", steps):
        assert f"def {word}(" in (ROOT / file).read_text()


def test_there_is_a_recipe_for_each_of_the_usual_things() -> None:
    usual = {f"Adding {what}" for what in ("a setting", "a call", "a command", "an endpoint", "a metric")}
    assert usual <= {title for title, _ in RECIPES}


def test_the_commands_that_run_tests_name_tests() -> None:
    typed = "".join(block.text for block in blocks(CONTRIBUTING) if "pytest" in block.text)
    modules = re.findall(r"python -m (tests[\w.]*)", typed)
    assert modules
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
