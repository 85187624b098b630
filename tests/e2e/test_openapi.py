"""`/api` is as its OpenAPI document says: schemathesis asks a daemon that runs all that it can think of."""

import subprocess
import sys

from llamactl.rpc.calls import CreateKey
from tests.e2e.conftest import Begin
from tests.e2e.running import Home

CONFIG = """\
base-url = "{url}"
headers = {{ Authorization = "Bearer {key}" }}
workers = 4
continue-on-failure = true
suppress-health-check = ["all"]
tls-verify = false

[generation]
deterministic = true
max-examples = 3
database = "none"

[phases.stateful]
enabled = false

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

@schemathesis.hook
def before_call(context, case, kwargs):
    \"\"\"All of a machine is not looked through.\"\"\"
    body = case.body
    if case.path.endswith("/discover") and isinstance(body, dict) and body.get("paths"):
        case.body = {{**body, "paths": {paths!r}}}
"""


def test_schemathesis_finds_nothing(home: Home, begin: Begin) -> None:
    daemon = begin()
    for name in ("alpha", "org/beta"):
        home.add(name)
    key = home.tell(CreateKey("fuzzer", scopes=("admin",))).text
    place = home.place / "fuzzer"
    place.mkdir()
    (place / "schemathesis.toml").write_text(CONFIG.format(url=daemon.url, key=key))
    (place / "hooks.py").write_text(HOOKS.format(paths=[str(home.place)]))
    environment = {**home.env, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(place), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{daemon.url}/api/openapi.json"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
