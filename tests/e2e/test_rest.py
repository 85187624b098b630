"""`/api` of a daemon that runs: what can be done with it, and that it is as its OpenAPI document says."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from llamactl.rpc.calls import CreateKey, StopModel
from llamactl.web.api.table import routes
from llamactl.web.guests import Guests
from tests.e2e.running import Daemon, Home, fake_engine


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="ll") as place:
        daemon = Daemon(Home(Path(place)), **fake_engine()).wait_until_up()
        yield daemon
        daemon.end()


@pytest.fixture(scope="module")
def key(daemon: Daemon) -> str:
    return daemon.home.tell(CreateKey("owner", scopes=("admin",))).text


def test_a_model_from_its_file_to_its_end(daemon: Daemon, key: str) -> None:
    def ask(path: str, body: object = None, method: str = "", status: int = 200) -> Any:
        answer = daemon.ask(f"/api/{path}", body, method, Authorization=f"Bearer {key}")
        assert answer.status == status, answer
        return answer.json()["data"] if status == 200 else answer.error

    file = daemon.home.model("life", load_seconds=0.2)
    name = "org/life:1"
    one = f"models/{quote(name, safe='')}"
    assert ask("models", {"models": [{"path": str(file), "name": name}]})["registered"] == 1
    assert ask(one)["path"] == str(file)
    assert ask(one, {"settings": {"ctx_size": 2048}}, "PUT")["id"] == name
    settings = {row["name"]: row["value"] for row in ask(one)["settings"]}
    assert settings["ctx_size"] == 2048
    assert ask(f"{one}/analyze?ctx_size=512")["report"]["context"] == 512
    assert ask(f"{one}/start?timeout=0.01", {}, status=504)["code"] == "timed_out"
    assert ask(f"{one}/start", {"ttl": 600})["status"] == "running", "it had gone on"
    assert len(daemon.home.record("life", "start")) == 1
    assert ask("status")["models"]["loaded"] == ask("health")["services"]["llama_server"]["models_loaded"] == 1
    assert ask(one, method="DELETE", status=409)["code"] == "refused"
    assert ask(f"{one}/restart", {"force": True})["state"] == "ready"
    assert ask(f"{one}/stop", {})["status"] == "idle"
    assert ask("config", {"config": {"residency": {"ttl": "20m"}}})["config"]["residency"]["ttl"] == 1200
    assert ask("config", {"config": {"residency": {"ttl": None}}})["changed"] == ["residency.ttl"]
    portable = {"models": [{"name": "copy", "path": str(file)}]}
    assert ask("models/import", portable)["report"]["added"] == ["copy"]
    assert ask("models/copy", method="DELETE") == {"modelId": "copy"}
    assert ask(one, method="DELETE") == {"modelId": name}
    assert file.exists() and ask(one, status=404)["details"]
    found = ask("models/discover", {"paths": [str(daemon.home.place)]})
    assert [model["path"] for model in found["discovered"]] == [str(file)]
    assert daemon.ask(f"/api/{one}/start", {}).status == 401


# --- schemathesis --------------------------------------------------------------------------------

CONFIG = """\
base-url = "{url}"
headers = {{ Authorization = "Bearer {key}" }}
workers = 1  # parsing in several threads fails in Python 3.11
continue-on-failure = true
suppress-health-check = ["all"]
warnings = false

[generation]
deterministic = true
max-examples = 2
database = "none"

[phases.coverage]
unexpected-methods = ["PATCH", "TRACE"]

[phases.stateful]
max-steps = 6

[checks.not_a_server_error]
# a model that has not loaded within the time of a request, cannot be loaded, or fits nowhere
expected-statuses = ["2xx", "3xx", "4xx", 503, 504, 507]

# What a setting, a key of the configuration or a file must be is more than a schema says.
[[operations]]
include-operation-id = ["change_config", "change_model", "replace_templates", "add_models", "import_models"]
checks.positive_data_acceptance.enabled = false

# GET, PUT and DELETE of a model that is called `discover` or `import` are at the same paths.
[[operations]]
include-operation-id = ["discover_models", "import_models"]
checks.allow_header_conformance.enabled = false

# An answer that goes on until somebody hangs up.
[[operations]]
include-operation-id = "watch_events"
enabled = false
"""

HOOKS = """\
import schemathesis

REMOVED = iter(range(1, 1000))

@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path.endswith("/discover") and isinstance(case.body, dict) and case.body.get("paths"):
        case.body = {{**case.body, "paths": {paths!r}}}  # not all of the machine is looked through
    if "name" in case.path_parameters and case.meta and case.meta.generation.mode.is_positive:
        number = next(REMOVED) if case.method == "DELETE" else 0  # one that is there
        case.path_parameters = {{"name": f"org%2Fmodel-{{number}}"}}
"""


def test_schemathesis_finds_nothing(daemon: Daemon, key: str) -> None:
    """It asks all that it can think of."""
    home = daemon.home
    for number in range(20):  # some will be removed
        home.add(f"org/model-{number}")
    place = home.place / "fuzzer"
    place.mkdir()
    (place / "schemathesis.toml").write_text(CONFIG.format(url=daemon.url, key=key))
    (place / "hooks.py").write_text(HOOKS.format(paths=[str(home.place)]))
    environment = {**home.env, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(place), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{daemon.url}/api/openapi.json"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    for row in home.instances():
        home.tell(StopModel(row.name, 0.0))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(routes(Guests())) - 2}\n" in done.stdout, "all but the stream, and the document itself"
    assert "Coverage (in" in done.stdout and "Fuzzing (in" in done.stdout and "Stateful (in" in done.stdout
