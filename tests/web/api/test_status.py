"""`/api/health` and `/api/status`."""

from llamactl.core.errors import NotFound, NotRunning
from llamactl.core.sample import Sample
from llamactl.rpc.calls import EngineRow, InstanceRow
from tests.metrics.test_prometheus import HOST
from tests.web.api.test_models import Daemon
from tests.web.test_app import status

INSTANCES = [
    InstanceRow(name="a", state="ready", leases=2, waiting=1),
    InstanceRow(name="b", state="loading", waiting=3),
    InstanceRow(name="c", state="failed"),
    InstanceRow(name="d", state="stopped"),
]
ENGINE = EngineRow(path="/bin/llama-server", version="9999")
SAMPLE = Sample(at=5, host=HOST, requests_per_minute=6.0)


def test_all_is_well() -> None:
    data = Daemon(Status=status(door="up"), ListInstances=INSTANCES, Engine=ENGINE, ShowMetrics=SAMPLE).ask(
        "/api/health"
    )
    assert data["status"] == "healthy" and data["timestamp"].endswith("Z")
    assert data["services"] == {
        "proxy": {"status": "up", "uptime": 1.0, "version": "1"},
        "llama_server": {"status": "available", "version": "9999", "models_loaded": 1},
    }
    assert data["system"] == {"cpu_usage": 50, "memory_usage": 75, "disk_usage": 50}


def test_what_is_not_known_is_null() -> None:
    engine = EngineRow(problem=NotFound("no llama-server").problem())
    early = NotRunning("nothing has been measured yet")
    daemon = Daemon(Status=status(door="up"), ListInstances=[], Engine=engine, ShowMetrics=early)
    data = daemon.ask("/api/health")
    assert data["services"]["llama_server"] == {"status": "missing", "version": "", "models_loaded": 0}
    assert data["system"] == {"cpu_usage": None, "memory_usage": None, "disk_usage": None}
    assert daemon.ask("/api/status")["performance"]["requests_per_minute"] is None


def test_what_is_down_makes_it_unhealthy() -> None:
    daemon = Daemon(Status=status(door="up", web="restarting"))
    assert daemon.ask("/api/health") == (503, "not_running", "GET /api/status")


def test_all_of_it() -> None:
    data = Daemon(Status=status(door="up"), ListInstances=INSTANCES, Engine=ENGINE, ShowMetrics=SAMPLE).ask(
        "/api/status"
    )
    assert data["application"].items() >= {"name": "llamactl", "version": "1", "pid": 1, "uptime": 1.0}.items()
    assert data["models"] == {"registered": 0, "loaded": 1, "loading": 1, "failed": 1}
    assert data["performance"] == {"requests_active": 2, "requests_waiting": 4, "requests_per_minute": 6.0}
    assert [service["name"] for service in data["services"]] == ["door"]
    assert data["engine"]["path"] == "/bin/llama-server"
