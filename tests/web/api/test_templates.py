"""`/api/model-templates`."""

from datetime import datetime
from typing import Any

import pytest

from llamactl.core.access import Caller
from llamactl.core.errors import NotFound
from llamactl.rpc.calls import SetTemplates, TemplateList, TemplateUse
from tests.web.test_app import ask

CONTROL = Caller("k", "n", "control")
PATH = "/api/model-templates"


def templates(default: str = "") -> TemplateList:
    uses = [
        TemplateUse(model="a", template="llama3", origin="model"),
        TemplateUse(model="b", template="/t/x.jinja", origin="preset fast"),
    ]
    return TemplateList(built_in=("llama3",), directory="/t", files=(), uses=uses, default_model=default)


def test_which_model_has_which() -> None:
    code, _, body = ask(PATH, ListTemplates=templates("a"))
    assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is not None
    own = {"a": "llama3"}
    assert (code, body) == (200, {"success": True, "data": {"model_templates": own, "default_model": "a"}})
    assert ask(PATH, ListTemplates=templates())[2]["data"]["default_model"] is None


def test_nobody_may_change_them_without_a_key() -> None:
    code, _, body = ask(PATH, "POST", b'{"model_templates": {}}')  # the daemon is not asked
    assert code == 403
    assert datetime.fromisoformat(body.pop("timestamp"))
    assert (body["success"], body["error"]["code"]) == (False, "forbidden")
    assert "llamactl keys create" in body["error"]["details"]


def test_who_may_replaces_them_all() -> None:
    asked: list[Any] = []
    text = b'{"model_templates": {"a": "llama3"}}'
    code, _, body = ask(PATH, "POST", text, caller=CONTROL, SetTemplates=asked.append, ListTemplates=templates())
    assert asked == [SetTemplates({"a": "llama3"}, others=True)]
    assert (code, body["success"], body["data"]) == (200, True, {"model_templates": {"a": "llama3"}})


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"{}", b'{"model_templates": {"a": 1}}', b'{"model_templates": {}, "default_model": "a"}'],
)
def test_what_is_no_such_document(text: bytes) -> None:
    code, _, body = ask(PATH, "POST", text, caller=CONTROL)
    assert (code, body["success"], body["error"]["code"]) == (400, False, "bad_request")
    assert body["error"]["message"].startswith("the body does not fit")


def test_what_the_daemon_refuses() -> None:
    text = b'{"model_templates": {"nobody": "llama3"}}'
    code, _, body = ask(PATH, "POST", text, caller=CONTROL, SetTemplates=NotFound("no model", "llamactl models ls"))
    assert (code, body["error"]["message"], body["error"]["details"]) == (404, "no model", "llamactl models ls")
