"""`/api` is as its OpenAPI document says: schemathesis asks a daemon that runs all that it can think of."""

import subprocess
import sys

from llamactl.rpc.calls import CreateKey
from llamactl.web.api.table import routes
from llamactl.web.guests import Guests
from tests.e2e.conftest import Begin
from tests.e2e.running import Home

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


def test_schemathesis_finds_nothing(home: Home, begin: Begin) -> None:
    daemon = begin()
    for number in range(20):  # some will be removed
        home.add(f"org/model-{number}")
    key = home.tell(CreateKey("fuzzer", scopes=("admin",))).text
    place = home.place / "fuzzer"
    place.mkdir()
    (place / "schemathesis.toml").write_text(CONFIG.format(url=daemon.url, key=key))
    (place / "hooks.py").write_text(HOOKS.format(paths=[str(home.place)]))
    environment = {**home.env, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(place), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{daemon.url}/api/openapi.json"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(routes(Guests())) - 2}\n" in done.stdout, "all but the stream, and the document itself"
    assert "Coverage (in" in done.stdout and "Fuzzing (in" in done.stdout and "Stateful (in" in done.stdout
