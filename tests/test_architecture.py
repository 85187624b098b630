"""The import table of the architecture, the homes of libraries, the sizes of modules.

Where one of these stands in the way, change it and say why in the same commit.
"""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "llamactl"
MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}

EVERYTHING_BUT_CLI = "core config hub rpc store llamaserver logs catalogue supervisor metrics proxy web"
MAY_IMPORT = {
    "core": "",
    "config": "core",
    "hub": "core",
    "rpc": "core",
    "store": "core",
    "llamaserver": "core",
    "logs": "core hub config",
    "catalogue": "core store",
    "supervisor": "core hub",
    "metrics": "core hub store llamaserver",
    "proxy": "core hub supervisor",
    "web": "core hub rpc proxy.dialects",
    "daemon": EVERYTHING_BUT_CLI,
    # How a daemon holds its pid file, what it would start a model with and how it ends what runs is done as it does.
    "doctor": "core config rpc store llamaserver metrics catalogue "
    "daemon.launch daemon.leftovers daemon.ports daemon.process",
    "cli": "core config rpc logs.daily logs.reading logs.runs logs.tail",  # logs are read without the daemon
}
IN_A_FUNCTION_ONLY = {
    ("cli.daemon", "run"): "daemon",
    # What a daemon that is gone has left is ended as it would have done it.
    ("cli.daemon", "_stop_left_behind"): "daemon.leftovers",
    # Fetched as who types it may, by the index and the proxies of that shell; elsewhere the daemon fetches it.
    ("cli.quickstart", "_model"): "catalogue.starter",
    # A damaged database is looked at, copied and mended without the daemon, which would not start with it.
    ("cli.db", "check"): "store.upkeep",
    ("cli.db", "backup"): "store.upkeep",
    ("cli.db", "vacuum"): "store.upkeep",
    # It looks at what keeps a daemon from starting, too, so it is here that it looks.
    ("cli.doctor", "doctor"): "doctor",
}
HOMES = {
    "typer": "cli",
    "rich": "cli",
    "peewee": "store",
    "daemon": "daemon.process",
    "pynvml": "metrics.gpu",
    "prometheus_client": "metrics.prometheus",
    "psutil": "metrics.host llamaserver",
    "tomlkit": "config",
    "yaml": "config",
    "platformdirs": "config",
    "aiohttp": "web",
    "websockets": "rpc.remote",
    "socketio": "web.dashboard",
    "httptools": "proxy",
    "limits": "proxy.rates",
    "jwt": "proxy.tokens",
    "cryptography": "proxy.tokens",
    "inotify_simple": "catalogue.watch",
}
FORBIDDEN = {
    "core": {"os", "time", "random", "logging", "anyio", "socket", "asyncio", "threading", "subprocess"},
    "supervisor": {"asyncio", "socket", "subprocess"},
    "hub": {"asyncio", "socket", "threading"},
}
NOT_NAMES = {"utils", "util", "helpers", "manager", "base", "common", "misc"}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """What a module imports, in full, and the function that does it; annotations count too."""
    tree = ast.parse(path.read_text())
    within = {
        id(node): function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, within.get(id(node), "")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write imports in full"
            yield from ((f"{node.module}.{alias.name}", within.get(id(node), "")) for alias in node.names)


def below(name: str, allowed: str) -> bool:
    """Is a dotted name one of those that are allowed, or inside one?"""
    return any(f"{name}.".startswith(f"{each}.") for each in allowed.split())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports(module: str) -> None:
    package = module.partition(".")[0]
    for name, function in imports(MODULES[module]):
        ours, _, inside = name.partition(".")
        exception = IN_A_FUNCTION_ONLY.get((module, function), "")
        if ours != "llamactl":
            home = HOMES.get(ours)
            assert home is None or below(module, home) or below(ours, exception), f"{ours} is at home in {home}"
            assert ours not in FORBIDDEN.get(package, ()), f"{package} does without {ours}"
        elif package in MAY_IMPORT and inside != "__version__":
            assert below(inside, f"{package} {MAY_IMPORT[package]}") or below(inside, exception), name


def test_every_package_has_its_row() -> None:
    assert {module.partition(".")[0] for module in MODULES} - {"__init__", "__main__"} == set(MAY_IMPORT)


def test_sizes() -> None:
    sizes = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: size for module, size in sizes.items() if size > 400} == {}
    assert statistics.median(sizes.values()) < 150


def test_names() -> None:
    assert not {module for module in MODULES if NOT_NAMES & set(module.split("."))}
