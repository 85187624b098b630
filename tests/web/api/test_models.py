"""`/api/models…`: each asks its call, and answers with what came of it."""

from typing import Any

import msgspec

from llamactl.core.access import Caller
from llamactl.core.errors import NotFound, Refused
from llamactl.core.model import ScanReport
from llamactl.rpc.calls import (
    AddModels,
    EngineRow,
    ImportModels,
    ImportReport,
    ModelRow,
    NewFile,
    PortableModel,
    RemoveModel,
    ScanModels,
    SetModel,
)
from tests.web.test_app import ask

CONTROL = Caller("k", "n", "control")
ROWS = [
    ModelRow(name="a", path="/m/a.gguf", size=7, state="ready", architecture="qwen3"),
    ModelRow(name="org/b", path="/m/b.gguf", size=9, missing=True),
]
REPORT = ScanReport(added=("a",), changed=("c",), known=3)


class Daemon:
    """Answers with what it is given, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[Any] = []
        self.answers = {name: self._kept(answer) for name, answer in answers.items()}

    def _kept(self, answer: Any) -> Any:
        def answered(call: Any) -> Any:
            self.asked.append(call)
            return answer

        return answered

    def ask(self, path: str, method: str = "GET", body: object = None, caller: Caller = CONTROL) -> Any:
        """The data of an answer, or its error."""
        text = None if body is None else msgspec.json.encode(body)
        code, _, answer = ask(path, method, text, caller, **self.answers)
        assert answer["success"] == (code == 200)
        return answer["data"] if code == 200 else (code, answer["error"]["code"], answer["error"].get("details"))


def test_the_catalogue_with_the_names_of_the_dashboard() -> None:
    daemon = Daemon(ListModels=ROWS)
    first, second = daemon.ask("/api/models")["models"]
    assert first.items() >= {"id": "a", "type": "qwen3", "status": "running", "available": True, "size": 7}.items()
    assert second.items() >= {"name": "org/b", "type": "other", "status": "idle", "available": False}.items()
    mine = daemon.ask("/api/models", caller=Caller("k", "n", "observe", models=("org/*",)))["models"]
    assert [one["name"] for one in mine] == ["org/b"]


def test_new_models() -> None:
    daemon = Daemon(AddModels=[ROWS[0], ROWS[0]])
    data = daemon.ask("/api/models", "POST", {"models": [{"path": "/m/a.gguf"}, {"path": "/m/x.gguf", "name": "a"}]})
    assert daemon.asked == [AddModels((NewFile("/m/a.gguf"), NewFile("/m/x.gguf", "a")))]
    assert (data["registered"], [one["id"] for one in data["models"]]) == (2, ["a", "a"])
    taken = Daemon(AddModels=Refused("another file is called so", "rename it"))
    assert taken.ask("/api/models", "POST", {"models": [{"path": "/m/a.gguf"}] * 2}) == (409, "refused", "rename it")


def test_settings_that_are_null_are_unset() -> None:
    daemon = Daemon(SetModel=ROWS[1])
    data = daemon.ask("/api/models/org%2Fb", "PUT", {"settings": {"ctx_size": 8192, "threads": None, "jinja": False}})
    assert daemon.asked == [SetModel("org/b", {"ctx_size": 8192, "jinja": False}, ("threads",))]
    assert data["name"] == "org/b"


def test_removing_says_what_was_removed() -> None:
    daemon = Daemon(RemoveModel=None)
    assert daemon.ask("/api/models/org%2Fb", "DELETE") == {"modelId": "org/b"}
    assert daemon.asked == [RemoveModel("org/b")]
    running = Daemon(RemoveModel=Refused("it runs", "llamactl stop a"))
    assert running.ask("/api/models/a", "DELETE") == (409, "refused", "llamactl stop a")
    assert Daemon(RemoveModel=NotFound("none")).ask("/api/models/a", "DELETE") == (404, "not_found", None)


def test_what_a_search_finds() -> None:
    daemon = Daemon(ScanModels=REPORT, ListModels=ROWS)
    data = daemon.ask("/api/models/discover", "POST", {"paths": ["/m"]})
    assert daemon.asked[0] == ScanModels(("/m",))
    assert ([one["id"] for one in data["discovered"]], data["totalFound"]) == (["a"], 5)
    assert data["report"]["changed"] == ["c"]
    daemon = Daemon(ScanModels=ScanReport())
    assert daemon.ask("/api/models/discover", "POST")["totalFound"] == 0
    assert daemon.asked == [ScanModels()], "the configured directories; nothing is new"


def test_what_was_exported_is_taken_in() -> None:
    daemon = Daemon(ImportModels=ImportReport(added=("a",), absent=("b",)))
    body = {"models": [{"name": "a", "path": "/m/a.gguf", "settings": {"threads": 2}}], "dry_run": True}
    data = daemon.ask("/api/models/import", "POST", body)
    models = [PortableModel(name="a", path="/m/a.gguf", settings={"threads": 2})]
    assert daemon.asked == [ImportModels(models, dry_run=True)]
    file = {"schema": "llamactl.models/v1", "items": body["models"], "presets": {"fast": {"threads": 4}}}
    assert daemon.ask("/api/models/import", "POST", file)["imported"] == 1
    assert daemon.asked[1] == ImportModels(models, {"fast": {"threads": 4}})
    assert (data["imported"], data["updated"], data["report"]["absent"]) == (1, 0, ["b"])


def test_looking_again_for_models_and_llama_server() -> None:
    daemon = Daemon(ScanModels=REPORT, Engine=EngineRow(path="/bin/llama-server", version="9"))
    data = daemon.ask("/api/llama-server/rescan", "POST")
    assert (data["modelsFound"], data["newModels"], data["engine"]["version"]) == (5, ["a"], "9")


def test_a_key_for_some_models_may_do_nothing_to_others() -> None:
    mine = Caller("k", "n", "control", models=("a",))
    daemon = Daemon(ListModels=ROWS, RemoveModel=None, SetModel=ROWS[0], AddModels=ROWS[:1], ScanModels=REPORT)
    assert daemon.ask("/api/models/a", "PUT", {"settings": {}}, mine)["id"] == "a"
    for method, path, body in (
        ("DELETE", "/api/models/org%2Fb", None),
        ("PUT", "/api/models/org%2Fb", {"settings": {}}),
        ("POST", "/api/models", {"models": [{"path": "/x"}]}),
        ("POST", "/api/models/discover", {}),
    ):
        assert daemon.ask(path, method, body, mine)[:2] == (403, "forbidden"), path
