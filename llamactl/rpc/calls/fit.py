"""What memory a model needs, and what there is."""

import msgspec

from llamactl.core.errors import Problem
from llamactl.core.model import Setting
from llamactl.core.parts import Parts
from llamactl.rpc.calls.call import Call


class FitDevice(msgspec.Struct, frozen=True, kw_only=True):
    """`need` is what is reckoned with on this device, `projected` what arithmetic says; `measured` is None while no run
    was. `free` is what models may take of it now, `budget` what all of them may take together.
    """

    name: str
    need: int
    projected: Parts
    measured: int | None = None
    free: int = 0
    budget: int = 0


class FitReport(msgspec.Struct, frozen=True, kw_only=True):
    """`source` of the need: `measured`, `fit-params` or `arithmetic`. `context` is tokens for all `slots` together,
    `trained` the context that the model was made for. `added` are settings that llamactl would start it with so that
    it fits, `recommended` those that make the most of the memory that can be had. `evicts` are the models that would
    be stopped for it; `problem` says why it cannot fit at all.
    """

    model: str
    source: str
    context: int
    slots: int
    trained: int | None
    devices: list[FitDevice]
    added: dict[str, Setting]
    recommended: dict[str, Setting]
    evicts: tuple[str, ...] = ()
    problem: Problem | None = None


class FitModel(Call[FitReport], frozen=True):
    """Does it fit, with another context or number of slots than it is set to?"""

    method = "models.fit"
    scope = "observe"
    repeatable = True
    name: str
    ctx_size: int | None = None
    parallel: int | None = None


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """`total` and `free` of the device; `budget` what all models may take, `reserved` what those that run do."""

    name: str
    description: str
    total: int
    free: int
    budget: int
    reserved: int
    models: tuple[str, ...] = ()


class ListDevices(Call[list[DeviceRow]], frozen=True):
    """The host's memory, the GPUs that llama-server finds, and what workers lend that models name or llamactl runs.

    Of GPUs that no driver tells of, `free` is as at the daemon's start; of a worker, as when it last served nobody.
    """

    method = "devices.list"
    scope = "observe"
    repeatable = True
