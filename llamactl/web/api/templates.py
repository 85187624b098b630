"""`/api/model-templates`: which model has which chat template, as the dashboard asks that llamactl replaces."""

from typing import Annotated

import msgspec
from msgspec import Meta

from llamactl.rpc.calls import ListTemplates, SetTemplates, TemplateList
from llamactl.web.api.route import Asked, Route

PATH = "/api/model-templates"

Name = Annotated[str, Meta(min_length=1)]


class Templates(msgspec.Struct, forbid_unknown_fields=True):
    """The templates that are set for models themselves, by model: all that a POST replaces."""

    model_templates: dict[Name, Name]


class TemplatesAndDefault(msgspec.Struct):
    """And the model of a request that names none."""

    model_templates: dict[str, str]
    default_model: str | None


async def show_templates(asked: Asked) -> TemplatesAndDefault:
    """Which model has which chat template.

    Only what is set for a model itself: not what comes from a preset, nor what is in its file.
    """
    found = await asked(ListTemplates())
    return TemplatesAndDefault(_own(found), found.default_model or None)


async def replace_templates(asked: Asked, body: Templates) -> Templates:
    """Give these models a template, and all others the one in their file.

    A template is a name that llama-server knows, the absolute path of a file, or the name of a file in the directory of
    templates. It counts from the model's next start.
    """
    await asked(SetTemplates(dict(body.model_templates), others=True))
    return Templates(_own(await asked(ListTemplates())))


def _own(found: TemplateList) -> dict[str, str]:
    return {use.model: use.template for use in found.uses if use.origin == "model"}


ROUTES = (
    Route("GET", PATH, show_templates, ListTemplates),
    Route("POST", PATH, replace_templates, SetTemplates, ListTemplates),
)
