"""`llamactl completion SHELL`."""

from typing import Annotated, Literal

import typer

from llamactl.cli import quick, render
from llamactl.core.errors import NotFound


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the completions for a shell. Its start file takes them: `source <(llamactl completion bash)`."""
    script = quick.completion(shell)
    if script is None:
        raise NotFound(f"the completions for {shell} are not where llamactl was installed", "install llamactl again")
    render.text(script.decode(), end="")
