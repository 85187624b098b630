"""Presets, defaults, templates and travelling models, as `Control` does them."""

# fixtures are imported by their names

from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from llamactl.core.errors import BadRequest, LlamactlError, NotFound, Refused
from llamactl.core.events import CatalogueChanged, Numbered
from llamactl.core.model import Model, Setting, Unusable
from llamactl.core.parameters import LEFT_OUT, OF_ONE_MODEL, PARAMETERS
from llamactl.core.shape import Shape
from llamactl.daemon.control.settings import settled
from llamactl.rpc import calls
from llamactl.rpc.calls import PortableModel
from llamactl.store import Database, Presets, StoreFailed
from tests.catalogue.files import SIZE, gguf
from tests.core.samples import SETTABLE, samples
from tests.daemon.test_control import Office, db, models, office, stocked

__all__ = ["db", "models", "office", "stocked"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def office_with_all_flags(office: Office) -> Office:
    """Its llama-server takes whatever the table has."""
    flags = {flag for parameter in PARAMETERS.values() for flag in (*parameter.flags, *parameter.off)} - set(LEFT_OUT)
    flags -= {flag for parameter in PARAMETERS.values() if parameter.gone for flag in parameter.flags}
    office.finder.able = type(office.finder.able)("1", 1, frozenset(flags), templates=("chatml", "llama3"))
    return office


async def origins(office: Office, name: str) -> dict[str, tuple[object, str]]:
    detail = await office.ask(calls.ShowModel(name))
    return {row.name: (row.value, row.origin) for row in detail.settings}


async def refused(office: Office, call: calls.Call[Any], kind: type[LlamactlError], said: str) -> LlamactlError:
    with pytest.raises(kind, match=said) as caught:
        await office.ask(call)
    return caught.value


# --- presets -------------------------------------------------------------------------------------


async def test_a_preset_stands_between_a_model_and_the_defaults(stocked: Office) -> None:
    await stocked.ask(calls.SetDefaults(set={"jinja": "off"}))
    await stocked.ask(calls.SetPreset("fast", set={"threads": "2", "ctx-size": "512", "jinja": True}))
    await stocked.ask(calls.SetModel("qwen", set={"ctx_size": 1024}))
    [row] = await stocked.ask(calls.ApplyPreset(("qwen",), "fast"))
    assert row.name == "qwen"
    assert await origins(stocked, "qwen") == {
        "ctx_size": (1024, "model"),
        "threads": (2, "preset fast"),
        "jinja": (True, "preset fast"),
    }
    assert await origins(stocked, "gemma") == {"jinja": (False, "server defaults")}
    await stocked.ask(calls.SetPreset("fast", set={"threads": 3}, unset=("jinja",)))
    assert (await origins(stocked, "qwen"))["threads"] == (3, "preset fast"), "applied by reference"
    assert (await origins(stocked, "qwen"))["jinja"] == (False, "server defaults")
    assert (await stocked.ask(calls.ShowModel("qwen"))).preset == "fast"
    await stocked.ask(calls.ApplyPreset(("qwen",), None))
    assert await origins(stocked, "qwen") == {"ctx_size": (1024, "model"), "jinja": (False, "server defaults")}


async def test_a_preset_is_saved_from_a_model_with_what_its_preset_gives(stocked: Office, db: Database) -> None:
    db.models.put(Model(name="phi", path="/p", size=1, settings={"hf_repo": "a/b"}))
    await stocked.ask(calls.SetPreset("fast", set={"threads": 2, "ctx_size": 512}))
    await stocked.ask(calls.SetModel("qwen", set={"ctx_size": 1024}))
    await stocked.ask(calls.ApplyPreset(("qwen",), "fast"))
    row = await stocked.ask(calls.SavePreset("mine", "qwen"))
    assert (row.name, row.settings, row.models) == ("mine", {"threads": 2, "ctx_size": 1024}, ())
    await stocked.ask(calls.SavePreset("mine", "qwen"))  # the same again is no other
    await stocked.ask(calls.SetModel("qwen", unset=("ctx_size",)))
    await refused(stocked, calls.SavePreset("mine", "qwen"), Refused, "another preset mine")
    row = await stocked.ask(calls.SavePreset("mine", "qwen", replace=True))
    assert row.settings == {"threads": 2, "ctx_size": 512}
    assert [row.name for row in await stocked.ask(calls.ListPresets())] == ["fast", "mine"]


async def test_what_says_which_model_it_is_is_no_matter_of_a_preset(office_with_all_flags: Office) -> None:
    office = office_with_all_flags
    gguf(office.control._config().directories.models / "phi.gguf")
    await office.ask(calls.ScanModels())
    await office.ask(calls.SetModel("phi", set={"hf_repo": "a/b", "threads": 2}))
    assert (await office.ask(calls.SavePreset("p", "phi"))).settings == {"threads": 2}
    for name in sorted(OF_ONE_MODEL - {"one_shot_preset"}):
        await refused(office, calls.SetPreset("p", set={name: "x"}), BadRequest, f"{name} says which model")


async def test_all_or_nothing(stocked: Office) -> None:
    await stocked.ask(calls.SetPreset("fast", set={"threads": 2}))
    await refused(stocked, calls.SetPreset("fast", set={"ctx_size": 8, "threads": "many"}), BadRequest, "threads")
    await refused(stocked, calls.SetPreset("fast", set={"nonsense": 1}), BadRequest, "no setting")
    await refused(stocked, calls.SetPreset("fast", set={"mirostat": 2}), Refused, "no --mirostat")
    await refused(stocked, calls.SetPreset("fast", set={"host": "0.0.0.0"}), Refused, "llamactl decides")
    await refused(stocked, calls.SetPreset("bad name", set={"threads": 2}), BadRequest, "not a model name")
    await refused(stocked, calls.SetPreset("slow", unset=("threads",)), NotFound, "there are fast|'slow'")
    assert (await stocked.ask(calls.ShowPreset("fast"))).settings == {"threads": 2}
    await refused(stocked, calls.ApplyPreset(("qwen", "nobody"), "fast"), NotFound, "nobody")
    await refused(stocked, calls.ApplyPreset(("qwen",), "slow"), NotFound, "slow")
    assert (await stocked.ask(calls.ShowPreset("fast"))).models == ()
    put: dict[str, dict[str, Setting]] = {"a": {"threads": 1}, "b": {"threads": "many"}}
    await refused(stocked, calls.PutPresets(put), BadRequest, "preset b: threads")
    await refused(stocked, calls.PutPresets({"a": {}, "fast": {}}), Refused, "another preset fast")
    assert [row.name for row in await stocked.ask(calls.ListPresets())] == ["fast"]
    rows = await stocked.ask(calls.PutPresets({"a": {"ctx-size": "8"}, "fast": {}}, replace=True))
    assert [(row.name, row.settings) for row in rows] == [("a", {"ctx_size": 8}), ("fast", {})]


async def test_a_preset_must_do_for_the_models_that_have_it(stocked: Office) -> None:
    await stocked.ask(calls.SetPreset("fast", set={"threads": 2}))
    await stocked.ask(calls.ApplyPreset(("qwen",), "fast"))
    await stocked.ask(calls.SetModel("qwen", set={"chat_template": "llama3"}))
    await refused(stocked, calls.SetPreset("fast", set={"jinja": "on"}), Refused, r"without Jinja.*preset fast")
    await stocked.ask(calls.SetPreset("other", set={"jinja": "on"}))
    await refused(stocked, calls.ApplyPreset(("qwen",), "other"), Refused, "without Jinja")
    broken = Model(name="old", path="/m", size=1, settings={"mirostat": 2}, preset="fast")
    stocked.catalogue.take([broken])
    assert (await stocked.ask(calls.SetPreset("fast", set={"threads": 4}))).models == ("old", "qwen")


async def test_a_preset_in_use_is_not_removed(stocked: Office) -> None:
    await stocked.ask(calls.SetPreset("fast", set={"threads": 2}))
    await stocked.ask(calls.ApplyPreset(("qwen", "gemma", "qwen"), "fast"))
    error = await refused(stocked, calls.RemovePreset("fast"), Refused, "gemma, qwen")
    assert "--force" in error.hint
    assert await stocked.ask(calls.RemovePreset("fast", force=True)) == ("gemma", "qwen")
    assert await origins(stocked, "qwen") == {}
    await refused(stocked, calls.RemovePreset("fast"), NotFound, "fast")
    await stocked.ask(calls.SetPreset("fast", set={"threads": 2}))
    assert await stocked.ask(calls.RemovePreset("fast")) == ()


async def test_a_preset_that_is_gone_is_said_to_be(stocked: Office) -> None:
    stocked.catalogue.take([Model(name="lost", path="/m", size=1, preset="gone")])
    error = await refused(stocked, calls.ShowModel("lost"), Refused, "preset gone")
    assert error.hint == "llamactl presets unapply lost"
    await stocked.ask(calls.ApplyPreset(("lost",), None))
    assert await origins(stocked, "lost") == {}


async def test_secrets_are_shown_to_nobody_and_do_not_travel(office_with_all_flags: Office, models: Path) -> None:
    office = office_with_all_flags
    await office.ask(calls.ScanModels((str(models),)))
    row = await office.ask(calls.SetPreset("fast", set={"hf_token": "hf_x", "threads": 1}))
    assert row.settings == {"hf_token": None, "threads": 1}
    await office.ask(calls.ApplyPreset(("qwen",), "fast"))
    await office.ask(calls.SetModel("qwen", set={"api_key": "k", "threads": 2}))
    found = await office.ask(calls.ExportModels())
    assert found.secrets == {"qwen": ("api_key",), "preset fast": ("hf_token",)}
    assert found.presets == {"fast": {"threads": 1}}
    assert [model.settings for model in found.models] == [{}, {"threads": 2}]
    assert "hf_x" not in repr(await office.ask(calls.ListPresets()))


async def test_what_changed_during_a_check_is_not_lost() -> None:
    there = {"a": 1}

    async def check(_: dict[str, int]) -> None:
        if "b" not in there:
            there["b"] = 2

    assert await settled(lambda: {**there, "c": 3}, check) == {"a": 1, "b": 2, "c": 3}


# --- for every model -----------------------------------------------------------------------------


async def test_defaults_are_the_servers(stocked: Office) -> None:
    rows = await stocked.ask(calls.SetDefaults(set={"jinja": "off"}))
    assert [(row.name, row.value, row.origin) for row in rows] == [("jinja", False, "server defaults")]
    error = await refused(stocked, calls.SetDefaults(set={"ctx_size": 8, "jinja": "on"}), BadRequest, "ctx_size")
    assert "config set llama_server.ctx_size" in error.hint
    await refused(stocked, calls.SetDefaults(set={"timeout": 5}), Refused, "no --timeout")
    assert await stocked.ask(calls.ShowDefaults()) == rows
    assert await stocked.ask(calls.SetDefaults(unset=("jinja",))) == []


# --- templates -----------------------------------------------------------------------------------


async def test_templates_built_in_and_in_files(stocked: Office, tmp_path: Path) -> None:
    place = tmp_path / "data" / "templates"
    place.mkdir(parents=True)
    (place / "a.jinja").write_text("{{ messages }}")
    (place / "notes.txt").write_text("x")
    stocked.finder.able = type(stocked.finder.able)(
        "1", 1, stocked.finder.able.flags | {"--chat-template-file"}, templates=("chatml", "llama3")
    )
    found = await stocked.ask(calls.ListTemplates())
    assert (found.built_in, found.files, found.uses) == (("chatml", "llama3"), ("a.jinja",), [])
    await stocked.ask(calls.SetTemplates({"qwen": "llama3", "gemma": "a.jinja"}))
    found = await stocked.ask(calls.ListTemplates())
    assert [(use.model, use.template, use.origin) for use in found.uses] == [
        ("gemma", str(place / "a.jinja"), "model"),
        ("qwen", "llama3", "model"),
    ]
    await stocked.ask(calls.SetTemplates({"qwen": str(place / "a.jinja")}))
    assert list(await origins(stocked, "qwen")) == ["chat_template_file"], "one of the two, never both"
    rows = await stocked.ask(calls.SetTemplates({"qwen": "chatml"}, others=True))
    assert {row.name for row in rows} == {"gemma", "qwen"}
    assert await origins(stocked, "gemma") == {}
    await stocked.ask(calls.SetTemplates({"qwen": None}))
    assert await origins(stocked, "qwen") == {}


async def test_what_is_no_template(stocked: Office, tmp_path: Path) -> None:
    for name, content in (("binary", b"\xff\xfe"), ("empty", b" \n"), ("large", b"x" * ((1 << 20) + 1))):
        (tmp_path / f"{name}.jinja").write_bytes(content)
    for template, kind, said in (
        ("llama9", Refused, "has no chat template llama9"),
        ("x.jinja", NotFound, r"no file .*/templates/x\.jinja"),
        ("a/b", BadRequest, "absolute"),
        ("{{ messages }}", BadRequest, "name of a template"),
        ("", BadRequest, "name of a template"),
        (f"{tmp_path}", NotFound, "no file"),
        (f"{tmp_path}/binary.jinja", BadRequest, "UTF-8"),
        (f"{tmp_path}/empty.jinja", BadRequest, "empty"),
        (f"{tmp_path}/large.jinja", BadRequest, "1 MiB"),
    ):
        await refused(stocked, calls.SetTemplates({"gemma": "chatml", "qwen": template}), kind, said)
    assert await origins(stocked, "gemma") == {}, "all or none"


async def test_without_an_engine_there_is_nothing_built_in(stocked: Office) -> None:
    stocked.finder.found = None
    found = await stocked.ask(calls.ListTemplates())
    assert found.built_in == ()
    assert found.problem is not None


# --- travelling models ---------------------------------------------------------------------------


async def test_an_import_is_all_or_nothing_and_tells_all_that_is_wrong(stocked: Office) -> None:
    bad = [
        PortableModel(name="good", path="/m/good.gguf"),
        PortableModel(name="bad name", path="/m/x.gguf"),
        PortableModel(name="b", path="/m/b.gguf", settings={"threads": "many"}),
        PortableModel(name="c", path="/m/c.gguf", preset="none"),
        PortableModel(name="good", path="/m/good.gguf"),
    ]
    error = await refused(stocked, calls.ImportModels(bad), BadRequest, "bad name")
    for said in ("b: threads cannot be 'many'", "there is no preset none", "good is there twice"):
        assert said in error.message
    flagged = [PortableModel(name="d", path="/d", settings={"mirostat": 1}), PortableModel(name="e", path="/e")]
    await refused(stocked, calls.ImportModels(flagged), Refused, "d: this build")
    assert [row.name for row in await stocked.ask(calls.ListModels())] == ["gemma", "qwen"]


async def test_names_and_aliases_belong_to_one_model(stocked: Office) -> None:
    for portable, said in (
        (PortableModel(name="a", path="/a", aliases=("qwen",)), "qwen is already the name"),
        (PortableModel(name="a", path="/a", aliases=("q q",)), "not a model name"),
    ):
        await refused(stocked, calls.ImportModels([portable]), LlamactlError, said)
    both = [PortableModel(name="a", path="/a", aliases=("x",)), PortableModel(name="b", path="/b", aliases=("x",))]
    await refused(stocked, calls.ImportModels(both), Refused, "x is an alias of a")
    await stocked.ask(calls.ImportModels(both[:1]))
    await refused(stocked, calls.ImportModels([PortableModel(name="x", path="/x")]), Refused, "x is an alias of a")
    moved = [PortableModel(name="a", path="/a", aliases=("y",)), PortableModel(name="b", path="/b", aliases=("x",))]
    await stocked.ask(calls.ImportModels(moved, replace=True))
    assert stocked.catalogue.resolve("x").name == "b"
    assert stocked.catalogue.resolve("y").name == "a"


async def test_what_is_here_is_added_to_and_contradicted_only_with_replace(stocked: Office, models: Path) -> None:
    await stocked.ask(calls.SetModel("qwen", set={"threads": 2}))
    path = str(models / "qwen.gguf")
    more = PortableModel(name="qwen", path=path, aliases=("q",), settings={"ctx_size": 512})
    report = await stocked.ask(calls.ImportModels([more]))
    assert (report.added, report.changed) == ((), ("qwen",))
    assert stocked.catalogue.resolve("q").settings == {"threads": 2, "ctx_size": 512}
    assert (await stocked.ask(calls.ImportModels([more]))).unchanged == ("qwen",)
    other = PortableModel(name="qwen", path="/elsewhere.gguf", settings={"threads": 3})
    await refused(stocked, calls.ImportModels([other]), Refused, "another file, threads")
    report = await stocked.ask(calls.ImportModels([other], replace=True, dry_run=True))
    assert report.changed == ("qwen",)
    assert stocked.catalogue.resolve("qwen").path == path
    await stocked.ask(calls.ImportModels([other], replace=True))
    model = stocked.catalogue.resolve("qwen")
    assert (model.path, model.settings, model.aliases) == ("/elsewhere.gguf", {"threads": 3}, ())
    await refused(stocked, calls.ShowModel("q"), NotFound, "'q'")


async def test_settings_for_a_model_that_has_to_be_here(stocked: Office) -> None:
    given = [PortableModel(name=name, settings={"chat_template": "chatml"}) for name in ("qwen", "nobody")]
    report = await stocked.ask(calls.ImportModels(given))
    assert (report.changed, report.absent) == (("qwen",), ("nobody",))
    assert stocked.catalogue.resolve("qwen").path.endswith("qwen.gguf")


async def test_a_file_that_is_missing_is_told_of(stocked: Office, tmp_path: Path) -> None:
    gguf(tmp_path / "phi.gguf")
    given = [
        PortableModel(name="phi", path=str(tmp_path / "phi.gguf")),
        PortableModel(name="x", path="/no.gguf", size=5),
    ]
    stream = await stocked.ask(calls.Watch())
    report = await stocked.ask(calls.ImportModels(given))
    assert report.added == ("phi", "x")
    assert [type(file) for file in report.unusable] == [Unusable]
    assert report.unusable[0].path == "/no.gguf"
    assert {row.name: row.size for row in await stocked.ask(calls.ListModels())}["x"] == 5
    assert stocked.catalogue.resolve("phi").size == SIZE
    event = await anext(stream.then)
    assert isinstance(event, Numbered) and event.event == CatalogueChanged(added=("phi", "x"))
    await stream.then.aclose()
    stream.close()


async def test_presets_come_with_the_models(stocked: Office) -> None:
    given = [PortableModel(name="a", path="/a", preset="fast")]
    report = await stocked.ask(calls.ImportModels(given, {"fast": {"threads": "2"}}))
    assert report.presets == ("fast",)
    assert await origins(stocked, "a") == {"threads": (2, "preset fast")}
    assert (await stocked.ask(calls.ImportModels(given, {"fast": {"threads": 2}}))).presets == ()
    await refused(stocked, calls.ImportModels(given, {"fast": {"threads": 3}}), Refused, "preset fast")
    await stocked.ask(calls.ImportModels(given, {"fast": {"threads": 3}}, replace=True))
    assert await origins(stocked, "a") == {"threads": (3, "preset fast")}
    await refused(stocked, calls.ImportModels([], {"fast": {"mirostat": 2}}, replace=True), Refused, "a: this build")


async def test_nothing_is_told_that_could_not_be_stored(stocked: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreFailed("the disk is full")

    monkeypatch.setattr(Presets, "put_all", full)
    given = [PortableModel(name="a", path="/a", preset="fast")]
    await refused(stocked, calls.ImportModels(given, {"fast": {}}), StoreFailed, "full")
    assert [row.name for row in await stocked.ask(calls.ListModels())] == ["gemma", "qwen"]


PLACE = Path("/nonexistent")
VALUES = {
    parameter.name: list(samples(parameter, PLACE))
    for parameter in SETTABLE
    if not (parameter.secret or parameter.must_exist or parameter.gone or parameter.kind == "arguments")
    and parameter.name
    not in OF_ONE_MODEL | {"server_path", "load_mode", "direct_io", "mlock", "no_webui", "chat_template"}
}
SETTINGS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})
NAMES = st.from_regex(r"[a-z][a-z0-9._:/+@-]{0,20}", fullmatch=True)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=15
)
@given(
    found=st.dictionaries(
        NAMES, st.tuples(SETTINGS, st.sampled_from(["", "p1", "p2"]), st.integers(0, 2**50)), max_size=5
    ),
    presets=st.fixed_dictionaries({"p1": SETTINGS, "p2": SETTINGS}),
)
def test_what_is_exported_is_what_was_imported(
    tmp_path_factory: pytest.TempPathFactory,
    found: dict[str, tuple[dict[str, Setting], str, int]],
    presets: dict[str, dict[str, Setting]],
) -> None:
    given_models = [
        PortableModel(
            name=name,
            path=f"/m/{number}.gguf",
            size=size,
            aliases=(f"A{number}",),
            settings=own,
            preset=preset,
            shapes={"fast": Shape({"temperature": number}, ("seed",))} if number else {},
        )
        for number, (name, (own, preset, size)) in enumerate(sorted(found.items()))
    ]
    used = {model.preset for model in given_models}
    place = tmp_path_factory.mktemp("travel")

    async def travel() -> calls.Portable:
        with Database(place / "a.db") as db:
            office = Office(place, db)
            office.finder.found = None
            await office.ask(calls.ImportModels(given_models, presets))
            exported: calls.Portable = await office.ask(calls.ExportModels())
            return exported

    exported = anyio.run(travel)
    assert exported.models == given_models
    assert exported.presets == {name: settings for name, settings in presets.items() if name in used}
