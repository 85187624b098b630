"""The table and the command line against real llama-servers of several ages."""

import os
from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest

from llamactl.core.errors import Refused
from llamactl.core.model import Model, Setting
from llamactl.core.parameters import BY_FLAG, LEFT_OUT, PARAMETERS
from llamactl.core.parameters.layers import LOADING, Layer
from llamactl.llamaserver.arguments import Command, build
from llamactl.llamaserver.capabilities import NEEDED, choices_in, examine, flags_in, templates_in
from llamactl.llamaserver.locate import Engine
from tests.core.samples import SETTABLE, sample, samples
from tests.llamaserver.builds import NEWER, NEWEST, OLD, VERSIONS, Build, installed, unpacked

REMOVED_SINCE = {
    **dict.fromkeys(("-hfv", "-hfrv", "--hf-repo-v", "-mv", "--model-vocoder", "--tts-use-guide-tokens"), "vocoder"),
}
"""Flags of older builds alone that no column of the seed has; they can be passed as extra arguments."""

GONE_EVERYWHERE = {"model_url_draft", "ctx_size_draft", "spec_replace", "verbose_prompt"}
TODAYS = {"reasoning_effort", "tools_runtime", "mcp_servers_config", "mcp_servers_json"}
LACKS = {
    OLD: GONE_EVERYWHERE | TODAYS,
    NEWER: GONE_EVERYWHERE | TODAYS,
    NEWEST: GONE_EVERYWHERE | {"hf_file_v"},
}
"""The settings that a build cannot be given, all others it takes."""


@pytest.fixture(scope="session")
def builds() -> dict[str, Build | str]:
    """Those asked for so far, by version; a text says why there is none."""
    return {}


@pytest.fixture
def a_build(
    request: pytest.FixtureRequest, builds: dict[str, Build | str], tmp_path_factory: pytest.TempPathFactory
) -> Build:
    version: str = request.param
    if version not in builds:
        runs = tmp_path_factory.getbasetemp().parent
        temporary = runs.parent if "PYTEST_XDIST_WORKER" in os.environ else runs
        builds[version] = installed() if version == "installed" else unpacked(version, temporary)
    found = builds[version]
    if isinstance(found, str):
        pytest.skip(found)
    return found


each = pytest.mark.parametrize("a_build", ["installed", *VERSIONS], indirect=True)
newest = pytest.mark.parametrize("a_build", [NEWEST], indirect=True)


def command(made: Build, place: Path, settings: dict[str, Setting], extra: Iterable[str] = ()) -> Command:
    model = Model(name="m", path=str(place / "m.gguf"), size=1, settings=settings)
    layers: list[Layer] = []
    return build(made.engine.path, model, str(place / "a.sock"), layers, made.able, extra=tuple(extra))


def accepted(made: Build, place: Path, settings: Iterable[tuple[str, Setting]]) -> list[tuple[str, Setting]]:
    """Sees that llama-server's parser takes what we make of these; returns those that we refuse ourselves."""
    refused: list[tuple[str, Setting]] = []
    line: list[str] = []
    environment: dict[str, str] = {}
    for name, value in settings:
        try:
            one = command(made, place, {name: value})
        except Refused:
            refused.append((name, value))
        else:
            line += one.arguments[one.arguments.index("--host") + 2 :]
            environment |= one.environment
    took = made.run(*line, "--version", environment=environment)
    assert took.returncode == 0, _without_warnings(took.stderr)
    return refused


def _without_warnings(said: str) -> str:
    return "\n".join(line for line in said.splitlines() if "DEPRECATED" not in line)


@each
def test_its_help_names_nothing_that_the_table_does_not_know(a_build: Build) -> None:
    assert {*NEEDED, "--jinja"} <= a_build.able.flags
    assert a_build.able.flags - set(BY_FLAG) - set(LEFT_OUT) - set(REMOVED_SINCE) == set()


@newest
def test_every_flag_of_the_table_is_known_to_the_newest_build(a_build: Build) -> None:
    for parameter in PARAMETERS.values():
        if parameter.flags and not parameter.gone:
            assert parameter.flags[0] in a_build.able.flags
        else:
            assert not set(parameter.flags) & a_build.able.flags or parameter.name == "defrag_thold"


@newest
def test_its_help_names_the_current_spelling_and_all_others(a_build: Build) -> None:
    """What stands together in one entry of the help belongs to one parameter."""
    for line in a_build.help.splitlines():
        together = flags_in(line) if line.startswith("-") else frozenset()
        assert len({BY_FLAG[flag].name for flag in together if flag in BY_FLAG}) <= 1, line


@newest
def test_what_it_says_may_follow_a_flag_is_what_the_table_says(a_build: Build) -> None:
    for flag, choices in a_build.able.choices.items():
        parameter = BY_FLAG[flag]
        assert choices == (parameter.words or parameter.choices), flag


@each
def test_every_setting_is_accepted_or_refused_before_it_is_started(a_build: Build, tmp_path: Path) -> None:
    settings = [(parameter.name, sample(parameter, tmp_path)) for parameter in SETTABLE]
    settings = [(name, "--jinja" if name == "custom_params" else value) for name, value in settings]
    refused = {name for name, _ in accepted(a_build, tmp_path, settings)}
    if a_build.version in LACKS:
        assert refused == LACKS[a_build.version]
    else:
        assert refused <= GONE_EVERYWHERE | TODAYS | {"hf_file_v"}


@newest
def test_every_choice_switch_and_bound_is_accepted(a_build: Build, tmp_path: Path) -> None:
    settings = [
        (parameter.name, value)
        for parameter in SETTABLE
        for value in samples(parameter, tmp_path)
        if parameter.kind != "arguments"
    ]
    refused = accepted(a_build, tmp_path, settings)
    assert {name for name, _ in refused} == LACKS[NEWEST]
    assert len(settings) > 400


@each
def test_its_parser_does_complain(a_build: Build, tmp_path: Path) -> None:
    """Else the tests above would prove nothing."""
    for wrong in (["--no-such-flag"], ["--temp", "warm"], ["-fa"], ["--parallel", "0"], ["--host=/a.sock"]):
        assert a_build.run(*wrong, "--version").returncode == 1


@each
def test_secrets_reach_it_in_its_environment(a_build: Build, tmp_path: Path) -> None:
    made = command(a_build, tmp_path, {"hf_token": "hf_abc", "api_key": "k1,k2"})
    assert made.environment == {"HF_TOKEN": "hf_abc", "LLAMA_API_KEY": "k1,k2"}
    assert made.arguments == command(a_build, tmp_path, {}).arguments
    for variable in made.environment:
        assert f"(env: {variable})" in a_build.help


@pytest.mark.parametrize("a_build", [OLD, NEWER], indirect=True)
@pytest.mark.parametrize(
    ("mode", "passed"),
    [
        ("auto", []),
        ("none", ["--no-mmap"]),
        ("mmap", ["--mmap"]),
        ("mlock", ["--no-mmap", "--mlock"]),
        ("mmap+mlock", ["--mmap", "--mlock"]),
        ("dio", ["--direct-io"]),
    ],
)
def test_the_load_mode_where_it_is_several_switches(
    a_build: Build, tmp_path: Path, mode: str, passed: list[str]
) -> None:
    plain = command(a_build, tmp_path, {}).arguments
    assert command(a_build, tmp_path, {"load_mode": mode}).arguments == (*plain, *passed)


@newest
def test_a_build_without_the_old_switches(a_build: Build, tmp_path: Path) -> None:
    """As the builds after this one are: its help names no --mmap, --mlock and --direct-io at all."""
    gone = ("--mmap", "--mlock", "--direct-io")
    lines = [line for line in a_build.help.splitlines() if not line.startswith("-") or not any(map(line.count, gone))]
    (tmp_path / "help").write_text("\n".join(lines))
    stand_in = tmp_path / "llama-server"
    stand_in.write_text(f'#!/bin/sh\n[ "$1" = --help ] && exec cat {tmp_path}/help\necho "version: 1 (stand-in)"\n')
    stand_in.chmod(0o755)
    able = anyio.run(examine, Engine(str(stand_in), "configuration"))
    assert a_build.able.flags - able.flags == {
        flag for name in LOADING for flag in (*PARAMETERS[name].flags, *PARAMETERS[name].off)
    }

    def line(settings: dict[str, Setting]) -> list[str]:
        model = Model(name="m", path="/m.gguf", size=1, settings=settings)
        return list(build(str(stand_in), model, "/a.sock", [], able).arguments[8:])

    assert line({"mmap": False}) == ["--load-mode", "none"]
    assert line({"mmap": True}) == ["--load-mode", "mmap"]
    assert line({"mlock": True}) == ["--load-mode", "mmap+mlock"]
    assert line({"mlock": True, "mmap": False}) == ["--load-mode", "mlock"]
    assert line({"mlock": False}) == []
    assert line({"direct_io": True}) == ["--load-mode", "dio"]
    for mode in PARAMETERS["load_mode"].choices:
        assert line({"load_mode": mode}) == ["--load-mode", mode]


@newest
def test_built_in_templates(a_build: Build) -> None:
    assert {"chatml", "llama3", "zephyr"} <= set(templates_in(a_build.help))
    assert choices_in(a_build.help)["--pooling"] == ("none", "mean", "cls", "last", "rank")
