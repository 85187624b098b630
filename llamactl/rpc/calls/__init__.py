"""Every question that can be put to the daemon, with the type of its answer.

One class per call; its fields are the parameters, its type argument is the answer. Sizes are bytes,
durations and ages seconds, times seconds since the epoch; what is not known is None.
"""

from typing import Any

from llamactl.rpc.calls.call import Call
from llamactl.rpc.calls.daemon import (
    Announcement,
    DaemonStatus,
    Engine,
    EngineRow,
    Reexec,
    ServiceRow,
    Shutdown,
    Status,
)
from llamactl.rpc.calls.instances import (
    InstanceRow,
    ListInstances,
    Lost,
    Notice,
    Snapshot,
    StartModel,
    StopModel,
    Watch,
)
from llamactl.rpc.calls.models import (
    AddModel,
    CloneModel,
    ListModels,
    ModelCommand,
    ModelDetail,
    ModelRow,
    RemoveModel,
    RenameModel,
    ScanModels,
    SetModel,
    SettingRow,
    ShowModel,
)


def _leaves(root: type[Call[Any]]) -> list[type[Call[Any]]]:
    return [leaf for child in root.__subclasses__() for leaf in (_leaves(child) or [child])]


CALLS: dict[str, type[Call[Any]]] = {call.method: call for call in _leaves(Call) if hasattr(call, "method")}

__all__ = [
    "CALLS",
    "AddModel",
    "Announcement",
    "Call",
    "CloneModel",
    "DaemonStatus",
    "Engine",
    "EngineRow",
    "InstanceRow",
    "ListInstances",
    "ListModels",
    "Lost",
    "ModelCommand",
    "ModelDetail",
    "ModelRow",
    "Notice",
    "Reexec",
    "RemoveModel",
    "RenameModel",
    "ScanModels",
    "ServiceRow",
    "SetModel",
    "SettingRow",
    "ShowModel",
    "Shutdown",
    "Snapshot",
    "StartModel",
    "Status",
    "StopModel",
    "Watch",
]
