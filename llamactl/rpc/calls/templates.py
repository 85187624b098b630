"""Chat templates."""

import msgspec

from llamactl.core.errors import Problem
from llamactl.rpc.calls.call import Call
from llamactl.rpc.calls.models import ModelRow


class TemplateUse(msgspec.Struct, frozen=True, kw_only=True):
    """A model with another template than that in its file.

    `template` is the name of a built-in one, the absolute path of a file, or the text itself; `origin` is where
    that is set.
    """

    model: str
    template: str
    origin: str


class TemplateList(msgspec.Struct, frozen=True, kw_only=True):
    """What there is and what is used.

    `built_in` are the names that llama-server knows, `problem` is why they are not known; `files` are the `.jinja`
    files in `directory`, by name. `default_model` is the model of a request that names none, or empty.
    """

    built_in: tuple[str, ...]
    directory: str
    files: tuple[str, ...]
    uses: list[TemplateUse]
    default_model: str = ""
    problem: Problem | None = None


class ListTemplates(Call[TemplateList], frozen=True):
    """The chat templates, and which model uses which."""

    method = "templates.list"
    scope = "observe"


class SetTemplates(Call[list[ModelRow]], frozen=True):
    """Give models a template, all of them or none; it counts from their next start. None: that of their file.

    A template is a built-in name, the absolute path of a file, or the name of a `.jinja` file in the directory of
    templates. With `others` all models that are not named lose what is set for them.
    """

    method = "templates.set"
    templates: dict[str, str | None]
    others: bool = False
