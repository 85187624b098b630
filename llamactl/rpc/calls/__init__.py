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
    Reload,
    Reloaded,
    ServiceRow,
    Shutdown,
    Status,
)
from llamactl.rpc.calls.events import ListEvents, Lost, Notice, Snapshot, Watch
from llamactl.rpc.calls.fit import DeviceRow, FitDevice, FitModel, FitReport, ListDevices
from llamactl.rpc.calls.instances import (
    ExitRow,
    Explanation,
    InstanceRow,
    ListInstances,
    PinModel,
    Plan,
    PlanStart,
    RestartModel,
    StartModel,
    StopModel,
    UnpinModel,
    WaitModel,
    WhyModel,
)
from llamactl.rpc.calls.keys import CreateKey, KeyRow, ListKeys, NewKey, RevokeKey, RotateKey
from llamactl.rpc.calls.models import (
    AddModel,
    AliasModel,
    Check,
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
    Verification,
    VerifyModel,
)
from llamactl.rpc.calls.portable import ExportModels, ImportModels, ImportReport, Portable, PortableModel
from llamactl.rpc.calls.presets import (
    ApplyPreset,
    ListPresets,
    PresetRow,
    PutPresets,
    RemovePreset,
    SavePreset,
    SetDefaults,
    SetPreset,
    ShowDefaults,
    ShowPreset,
)
from llamactl.rpc.calls.templates import ListTemplates, SetTemplates, TemplateList, TemplateUse
from llamactl.rpc.calls.workers import ListWorkers, StartWorker, StopWorkers, WorkerRow, WorkerState


def _leaves(root: type[Call[Any]]) -> list[type[Call[Any]]]:
    return [leaf for child in root.__subclasses__() for leaf in (_leaves(child) or [child])]


CALLS: dict[str, type[Call[Any]]] = {call.method: call for call in _leaves(Call) if hasattr(call, "method")}

__all__ = [
    "CALLS",
    "AddModel",
    "AliasModel",
    "Announcement",
    "ApplyPreset",
    "Call",
    "Check",
    "CloneModel",
    "CreateKey",
    "DaemonStatus",
    "DeviceRow",
    "Engine",
    "EngineRow",
    "ExitRow",
    "Explanation",
    "ExportModels",
    "FitDevice",
    "FitModel",
    "FitReport",
    "ImportModels",
    "ImportReport",
    "InstanceRow",
    "KeyRow",
    "ListDevices",
    "ListEvents",
    "ListInstances",
    "ListKeys",
    "ListModels",
    "ListPresets",
    "ListTemplates",
    "ListWorkers",
    "Lost",
    "ModelCommand",
    "ModelDetail",
    "ModelRow",
    "NewKey",
    "Notice",
    "PinModel",
    "Plan",
    "PlanStart",
    "Portable",
    "PortableModel",
    "PresetRow",
    "PutPresets",
    "Reexec",
    "Reload",
    "Reloaded",
    "RemoveModel",
    "RemovePreset",
    "RenameModel",
    "RestartModel",
    "RevokeKey",
    "RotateKey",
    "SavePreset",
    "ScanModels",
    "ServiceRow",
    "SetDefaults",
    "SetModel",
    "SetPreset",
    "SetTemplates",
    "SettingRow",
    "ShowDefaults",
    "ShowModel",
    "ShowPreset",
    "Shutdown",
    "Snapshot",
    "StartModel",
    "StartWorker",
    "Status",
    "StopModel",
    "StopWorkers",
    "TemplateList",
    "TemplateUse",
    "UnpinModel",
    "Verification",
    "VerifyModel",
    "WaitModel",
    "Watch",
    "WhyModel",
    "WorkerRow",
    "WorkerState",
]
