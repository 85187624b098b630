"""Settings as presets of llama.cpp: written by us, read by `imports.presets`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamactl.config.imports.models import settings_of
from llamactl.config.imports.presets import presets
from llamactl.config.ini import ini
from llamactl.core.model import Setting
from llamactl.core.parameters import OF_ONE_MODEL, PARAMETERS, Parameter, parse
from tests.core.samples import SETTABLE, samples

FETCHED = OF_ONE_MODEL - {"one_shot_preset"}


def back(text: str) -> dict[str, tuple[str, dict[str, Setting]]]:
    found = {}
    for model in presets(text, Path("/base")).models:
        settings, rest = settings_of(model)
        found[model.name] = model.path, settings | ({"custom_params": " ".join(rest)} if rest else {})
    return found


@pytest.mark.parametrize("parameter", SETTABLE, ids=lambda parameter: parameter.name)
def test_every_setting_comes_back_or_is_said_not_to(parameter: Parameter, tmp_path: Path) -> None:
    for value in samples(parameter, tmp_path):
        text, left = ini({"m": ("/m.gguf", {parameter.name: value})})
        path, settings = back(text)["m"]
        assert path == "/m.gguf"
        if parameter.name in FETCHED:
            assert settings == {}, "the reader leaves it: llamactl fetches no models while they start"
        elif left:
            assert left == {"m": [parameter.name]} and settings == {}
        elif parameter.inverts:
            assert settings == {parameter.inverts: not value}
        elif parameter.kind == "switch" and not (value or parameter.off or parameter.words):
            assert settings == {}, "it is off without any flag"
        elif parameter.kind == "arguments":
            assert left or settings
        else:
            assert settings == {parameter.name: value}


def test_few_cannot_be_said() -> None:
    left = {
        parameter.name
        for parameter in SETTABLE
        if parameter.kind not in ("path", "arguments")
        for value in samples(parameter, Path("/nonexistent"))
        if ini({"m": ("", {parameter.name: value})})[1]
    }
    gone = {parameter.name for parameter in PARAMETERS.values() if parameter.gone or parameter.secret or parameter.ours}
    assert {name for name in left - gone if PARAMETERS[name].passing == "joined"} == {"samplers"}, "; is a remark"


@pytest.mark.parametrize("value", ["a;b", "a # b", "two\nlines", " a", "a ", "#", "\r", "-A"])
def test_a_value_that_would_not_come_back_is_left_out(value: str) -> None:
    assert ini({"m": ("", {"chat_template": value})}) == ("version = 1\n\n[m]\n", {"m": ["chat_template"]})


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20))
def test_any_text_comes_back_or_is_left_out(value: str) -> None:
    text, left = ini({"m": ("", {"chat_template": value}), "n": ("", {"threads": 1})})
    found = back(text)
    assert found["n"][1] == {"threads": 1}
    if not left:
        assert found["m"][1] == ({"chat_template": parse("chat_template", value)})


def test_raw_arguments() -> None:
    text, left = ini({"m": ("", {"custom_params": "--keep 5 --new-one x --special", "keep": 3})})
    assert left == {"m": ["keep"]} and back(text)["m"][1] == {
        "keep": 5,
        "special": True,
        "custom_params": "--new-one x",
    }
    assert ini({"m": ("", {"custom_params": "--unknown-switch"})})[1] == {"m": ["custom_params"]}
