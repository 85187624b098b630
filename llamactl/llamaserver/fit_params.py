"""`llama-fit-params`, where it lies beside llama-server: it lays a model out without loading it.

Source of its answers: llama.cpp's `tools/fit-params`. With `--fit-print on` a line per device, `CUDA0 4403 1024 368`:
MiB of weights, context and computing. Without, the arguments that would fit: `-c 8192 -ngl 33 -ts 3,1 -ot "…=CPU"`.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from llamactl.core.footprint import RELEVANT, Parts
from llamactl.core.model import Setting
from llamactl.core.parameters import PARAMETERS, Parameter, pieces
from llamactl.llamaserver import capabilities
from llamactl.llamaserver.locate import Engine
from llamactl.llamaserver.memory import MIB, device_of

NAME = "llama-fit-params"

PATIENCE = 60.0
"""Seconds: it initialises the GPUs and reads the header of the model."""


class Advice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What fits by its word; None is left as it is. `overrides` are as `override_tensor` takes them."""

    ctx_size: int | None = None
    gpu_layers: int | None = None
    tensor_split: str | None = None
    overrides: str | None = None


class Analysis(msgspec.Struct, frozen=True):
    """`projected` is empty and `trouble` says why where it failed; `raw` is all that it printed."""

    projected: dict[str, Parts]
    advice: Advice
    raw: str
    trouble: str = ""


def tool(engine: Engine) -> Engine | None:
    """The program of this llama-server's build; None if it is not there."""
    path = Path(engine.path).resolve().with_name(NAME)
    return msgspec.structs.replace(engine, path=str(path)) if os.access(path, os.X_OK) else None


async def analyse(program: Engine, model: str, settings: Mapping[str, Setting]) -> Analysis:
    """Of the model in this file with these settings: what it takes, and what would fit into what is free."""
    flags = capabilities.flags_in((await capabilities.answer(program, "--help"))[0])
    words = ["--model", model, *arguments(settings, flags)]
    printing = next((flag for flag in ("--fit-print", "-fitp") if flag in flags), "")
    if not printing:
        return Analysis({}, Advice(), "", f"this build's {NAME} has no --fit-print")
    said, trouble = await capabilities.answer(program, *words, printing, "on", patience=PATIENCE)
    if trouble or not (projected := projected_in(said)):
        return Analysis({}, Advice(), said, trouble or "it printed no sizes")
    fitting, _ = await capabilities.answer(program, *words, patience=PATIENCE)
    return Analysis(projected, advice_in(fitting), said + fitting)


def arguments(settings: Mapping[str, Setting], flags: frozenset[str]) -> list[str]:
    """Those of the settings that this program knows and that change what it says."""
    known = [PARAMETERS[name] for name in RELEVANT if name in settings and PARAMETERS[name].kind != "arguments"]
    return [word for parameter in known for word in _words(parameter, settings[parameter.name], flags)]


def _words(parameter: Parameter, value: Setting, flags: frozenset[str]) -> Iterator[str]:
    switch = parameter.kind == "switch" and parameter.words is None
    spellings = parameter.off if switch and not value else parameter.flags
    flag = next((flag for flag in spellings if flag in flags), None)
    if flag is not None:
        yield flag
        if not switch:
            yield parameter.separator.join(pieces(parameter, value))


def projected_in(text: str) -> dict[str, Parts]:
    """By device; `kv` is all that it calls context. Lines of another form are logs."""
    found: dict[str, Parts] = {}
    for line in text.splitlines():
        device, *sizes = line.split() or [""]
        if len(sizes) == 3 and all(size.isdecimal() for size in sizes):
            weights, context, compute = (int(size) * MIB for size in sizes)
            found[device_of(device)] = Parts(weights=weights, kv=context, compute=compute)
    return found


def advice_in(text: str) -> Advice:
    """From the line of arguments, the last one that begins with `-c`; nothing if there is none."""
    line = next((line for line in reversed(text.splitlines()) if line.startswith("-c ")), "")
    try:
        words = shlex.split(line)
        found = dict(zip(words[::2], words[1::2], strict=True))
        return Advice(
            int(found["-c"]) if "-c" in found else None,
            int(found["-ngl"]) if "-ngl" in found else None,
            found.get("-ts"),
            found.get("-ot"),
        )
    except ValueError:
        return Advice()
