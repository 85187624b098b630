"""Chat templates."""

from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import msgspec
from anyio.lowlevel import checkpoint

from llamactl.catalogue import Catalogue
from llamactl.config.sections import Config
from llamactl.core.errors import BadRequest, LlamactlError, NotFound
from llamactl.core.model import Model, Setting
from llamactl.daemon.control.noun import Handlers
from llamactl.daemon.control.settings import settled
from llamactl.daemon.launch import Launch
from llamactl.rpc import calls
from llamactl.rpc.calls import ModelRow, TemplateList, TemplateUse

LARGEST = 1 << 20
"""Bytes of a template; the largest that models come with have some 20 KB."""

SETTINGS = ("chat_template", "chat_template_file")
"""What gives a model another template; of both the one set closest to it counts."""


class TemplateCalls:
    """`templates.…`"""

    def __init__(
        self, config: Callable[[], Config], catalogue: Catalogue, launch: Launch, row: Callable[[Model], ModelRow]
    ) -> None:
        self._config = config
        self._catalogue = catalogue
        self._launch = launch
        self._row = row
        self.handlers: Handlers = {calls.ListTemplates: self._list, calls.SetTemplates: self._set}

    async def _list(self, _: calls.ListTemplates) -> TemplateList:
        directory = self._config().directories.templates
        files = await anyio.to_thread.run_sync(_files, directory)
        built_in: tuple[str, ...] = ()
        problem = None
        try:
            built_in = (await self._launch.engine())[1].templates
        except LlamactlError as error:
            problem = error.problem()
        uses: list[TemplateUse] = []
        for model in self._catalogue.models():
            uses += self._uses(model)
            await checkpoint()  # of a thousand models others need not wait for all
        return TemplateList(
            built_in=built_in,
            directory=str(directory),
            files=files,
            uses=uses,
            default_model=self._config().models.default,
            problem=problem,
        )

    def _uses(self, model: Model) -> list[TemplateUse]:
        """None for a model whose settings cannot be understood: what is wrong with them is said where it is shown."""
        try:
            settings = self._launch.settings(model, only=SETTINGS)
        except LlamactlError:
            return []
        return [
            TemplateUse(model=model.name, template=str(settings[name].value), origin=settings[name].layer.title)
            for name in SETTINGS
            if name in settings
        ]

    async def _set(self, call: calls.SetTemplates) -> list[ModelRow]:
        wanted = {name: await self._setting(template) for name, template in call.templates.items()}

        def changed() -> list[Model]:
            given = {self._catalogue.resolve(name).name: setting for name, setting in wanted.items()}
            if call.others:
                given = {model.name: {} for model in self._catalogue.models()} | given
            return [self._with(self._catalogue.resolve(name), setting) for name, setting in given.items()]

        async def check(models: list[Model]) -> None:
            for model in models:
                if any(name in model.settings for name in SETTINGS):
                    await self._launch.check(model)

        models = await settled(changed, check)
        self._catalogue.change(*(model for model in models if model != self._catalogue.resolve(model.name)))
        return [self._row(model) for model in models]

    def _with(self, model: Model, setting: dict[str, Setting]) -> Model:
        others = {name: value for name, value in model.settings.items() if name not in SETTINGS}
        return msgspec.structs.replace(model, settings=others | setting)

    async def _setting(self, template: str | None) -> dict[str, Setting]:
        """What is set for a model that has it. Whether the build knows a name is for `Launch.check` to say."""
        if template is None:
            return {}
        if "{" in template or not template.strip():
            raise BadRequest(f"not the name of a template: {template!r}", "write the template into a .jinja file")
        if "/" not in template and not template.endswith(".jinja"):
            return {"chat_template": template}
        path = self._config().directories.templates / template  # an absolute one stays itself
        if "/" in template and not template.startswith("/"):
            raise BadRequest(f"the path of a template must be absolute: {template}", "llamactl templates ls")
        await anyio.to_thread.run_sync(_look_at, path)
        return {"chat_template_file": str(path)}


def _files(directory: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(path.name for path in directory.iterdir() if path.suffix == ".jinja" and path.is_file()))
    except OSError:
        return ()


def _look_at(path: Path) -> None:
    """Raises `NotFound` or `BadRequest` for what llama-server would not start with."""
    try:
        if not path.is_file():
            there = _files(path.parent)
            hint = f"there are {', '.join(there[:20])}" if there else "llamactl templates ls"
            raise NotFound(f"no file {path}", hint)
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {error.strerror}", f"ls -l {path}") from None
    if len(text) > LARGEST:
        raise BadRequest(f"{path} is larger than {LARGEST >> 20} MiB, and no chat template", f"ls -lh {path}")
    try:
        empty = not text.decode().strip()
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is not a text in UTF-8", f"file {path}") from None
    if empty:
        raise BadRequest(f"{path} is empty", f"ls -l {path}")
