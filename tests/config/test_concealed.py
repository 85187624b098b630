"""Secrets that stay behind where the text of the file goes."""

from pathlib import Path

import pytest

from llamactl.config.concealed import concealed, revealed
from llamactl.config.example import example
from llamactl.core.errors import BadRequest, Refused

FILE = Path("/c/config.toml")

TEXTS = {
    "a section": '[alerts]\nwebhook = "https://x/hunter2" # mine\ncooldown = "5m"\n',
    "a dotted key": "alerts.webhook = 'https://x/hunter2'\n",
    "an inline table": 'alerts = { cooldown = "5m", webhook = "https://x/hunter2" }\n',
    "a quoted key": '[alerts]\n"webhook" = "https://x/hunter2"\n',
    "several lines": '[llama_server]\nmcp_servers_json = """{\n"key": "hunter2" }"""\nthreads = 4\n',
    "literal lines": "[llama_server]\nmcp_servers_json = '''{\n\"key\": 'hunter2' }'''\nthreads = 4\n",
    "escapes": '[llama_server]\nhf_token = "a\\"hunter2\\\\"\napi_key="b\\"hunter2"\n',
    "a remark": '[alerts]\n# webhook = "https://x/hunter2"\n',
    "ends of lines": '[alerts]\r\nwebhook = "https://x/hunter2"\r\n',
    "no text at all": "[alerts]\nwebhook = https://x/hunter2 # oh\n",
    "no end": '[alerts]\nwebhook = "https://x/hunter2\ncooldown = "5m"\n',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_secret_is_a_number_and_comes_back(text: str) -> None:
    shown = concealed(FILE, text)
    assert "hunter2" not in shown and '"(hidden 1)"' in shown
    assert revealed(shown, text) == text
    assert revealed(f"{shown}# and more\n", text) == f"{text}# and more\n"


@pytest.mark.parametrize("text", ["", "[http]\nport = 1\n", '[alerts]\nwebhook = ""\n', example()])
def test_what_has_no_secret_stays_as_it_is(text: str) -> None:
    assert concealed(FILE, text) == text


def test_a_number_may_move_and_another_value_may_stand_instead() -> None:
    before = '[llama_server]\nhf_token = "one"\n# hf_token = "two"\n'
    assert revealed('[llama_server]\nhf_token = "(hidden 2)"\n', before) == '[llama_server]\nhf_token = "two"\n'
    assert revealed('[llama_server]\nhf_token = "new"\n', before) == '[llama_server]\nhf_token = "new"\n'


def test_a_number_is_nothing_where_anybody_may_read_it() -> None:
    text = '[models]\ndefault = "(hidden 1)"\n'
    assert revealed(text, '[alerts]\nwebhook = "http://hunter2"\n') == text


@pytest.mark.parametrize("number", [0, 2, 99999999999999999999])
def test_a_number_that_stands_for_nothing(number: int) -> None:
    with pytest.raises(BadRequest, match="stands for no secret"):
        revealed(f'[alerts]\nwebhook = "(hidden {number})"\n', '[alerts]\nwebhook = "http://x"\n')


@pytest.mark.parametrize(
    "text",
    ['[alerts]\n"web\\u0068ook" = "hunter2"\n', '[alerts.webhook]\nx = "hunter2"\n', "[alerts.webhook]\nx = 1\n"],
)
def test_what_cannot_be_hidden_stays_there(text: str) -> None:
    with pytest.raises(Refused, match=r"alerts.webhook is a secret") as refused:
        concealed(FILE, text)
    assert "hunter2" not in refused.value.message and "config unset alerts.webhook" in refused.value.hint
