"""The tables, as peewee sees them. They are bound to no database: each query is given the one it is for.

The columns of settings are those of `core.parameters`, so that nothing is written down twice. A parameter that a
later release adds becomes a column when a database is opened, without a new version of the schema; the column of
one that a release drops stays where it is, and is read. No column has a default: NULL is "not set", and a model has
a row in the table of a group only if something of that group is set. Nothing here says what runs: `status` of the
schema that we follow has no column.

Times are milliseconds since the epoch.
"""

from typing import Any

import peewee

from llamactl.core.parameters import GROUPS, Group, Kind, columns

DECLARED: dict[Kind, str] = {"switch": "INTEGER", "int": "INTEGER", "float": "REAL", "duration": "REAL"}
"""The type of a parameter's column; all others are TEXT. A switch is 0 or 1."""

_FIELDS = {"INTEGER": peewee.IntegerField, "REAL": peewee.FloatField, "TEXT": peewee.TextField}

TABLE_OF: dict[Group, str] = {group: f"model_{group}_config" for group in GROUPS} | {"model": "models"}
"""Where the settings of each group are. `model_server_config` has a row for all models too: that without a model."""


def declared(kind: Kind) -> str:
    return DECLARED.get(kind, "TEXT")


class Metadata(peewee.Model):
    """`db_version` is the version of the schema."""

    key = peewee.TextField(primary_key=True)
    value = peewee.TextField()
    updated_at = peewee.IntegerField()

    class Meta:
        table_name = "metadata"


class SeriesTable(peewee.Model):
    """Numbers of a subject at one time, as JSON; a `step` of 0 milliseconds is as they were measured.

    Thinned out, each is `[min, mean, max, count]`.
    """

    step = peewee.IntegerField()
    at = peewee.IntegerField()
    kind = peewee.TextField()
    name = peewee.TextField()
    data = peewee.TextField()

    class Meta:
        table_name = "metrics_series"
        primary_key = peewee.CompositeKey("step", "kind", "name", "at")
        without_rowid = True


def _table(name: str, fields: dict[str, peewee.Field], stamps: tuple[str, ...] = ("created_at", "updated_at")) -> Any:
    fields = fields | {stamp: peewee.IntegerField() for stamp in stamps}
    for column, field in fields.items():
        field.column_name = column
    # As attributes they have names of their own: peewee's classes have methods like `alias`.
    named = {f"f_{column}": field for column, field in fields.items()}
    meta = type("Meta", (), {"table_name": name})
    return type(name, (peewee.Model,), {**named, "Meta": meta, "__doc__": f"The table {name}."})


def _settings(group: Group, besides: frozenset[str] = frozenset()) -> dict[str, peewee.Field]:
    return {
        parameter.name: _FIELDS[declared(parameter.kind)](null=True)
        for parameter in columns(group)
        if parameter.name not in besides
    }


MODEL_COLUMNS = (
    *("id", "name", "type", "model_path", "file_size_bytes", "preset", "shapes", "facts", "other_settings"),
    *("fit_params_available", "last_fit_params_check", "created_at", "updated_at"),
)
"""Of `models`, besides its settings.

`type` is the architecture. `facts` is the JSON of what a `Model` says of its file, `other_settings` of the
settings that have no column or do not fit into it. `preset` is NULL where there is none, and so is `shapes`, the JSON
of what is done to requests.
"""

ModelTable = _table(
    "models",
    {
        "id": peewee.AutoField(),
        "name": peewee.TextField(),
        "type": peewee.TextField(null=True),
        "model_path": peewee.TextField(),
        "file_size_bytes": peewee.IntegerField(),
        **_settings("model", frozenset(MODEL_COLUMNS)),
        "preset": peewee.TextField(null=True),
        "shapes": peewee.TextField(null=True),
        "facts": peewee.TextField(null=True),
        "other_settings": peewee.TextField(null=True),
        "fit_params_available": peewee.IntegerField(null=True),
        "last_fit_params_check": peewee.IntegerField(null=True),
    },
)


def _of_model(*, null: bool = False) -> peewee.Field:
    return peewee.ForeignKeyField(ModelTable, backref="+", on_delete="CASCADE", null=null, index=False)


def _index(table: Any, name: str, *names: str, unique: bool = False) -> None:
    by_column = table._meta.columns
    table.add_index(*(by_column[column] for column in names), name=f"idx_{name}", unique=unique)


GROUP_TABLES: dict[Group, Any] = {
    group: _table(
        TABLE_OF[group],
        {"id": peewee.AutoField(), "model_id": _of_model(null=group == "server"), **_settings(group)},
    )
    for group in GROUPS
    if group != "model"
}

FIT_COLUMNS = {
    "recommended_ctx_size": peewee.IntegerField,
    "recommended_gpu_layers": peewee.IntegerField,
    "recommended_tensor_split": peewee.TextField,
    "file_size_bytes": peewee.IntegerField,
    "quantization_type": peewee.TextField,
    "parameter_count": peewee.IntegerField,
    "architecture": peewee.TextField,
    "context_window": peewee.IntegerField,
    "fit_params_analyzed_at": peewee.IntegerField,
    "fit_params_success": peewee.IntegerField,
    "fit_params_error": peewee.TextField,
    "fit_params_raw_output": peewee.TextField,
    "projected_cpu_memory_mb": peewee.FloatField,
    "projected_gpu_memory_mb": peewee.FloatField,
}

FitTable = _table(
    "model_fit_params",
    {"id": peewee.AutoField(), "model_id": _of_model()} | {name: kind(null=True) for name, kind in FIT_COLUMNS.items()},
)

AliasTable = _table(
    "model_aliases",
    {"alias": peewee.TextField(primary_key=True), "model_id": _of_model(), "position": peewee.IntegerField()},
    stamps=(),
)

PresetTable = _table("presets", {"name": peewee.TextField(primary_key=True), "settings": peewee.TextField()})

ExitTable = _table(
    "exits",
    {
        "id": peewee.AutoField(),
        "model_id": _of_model(),
        "at": peewee.IntegerField(),
        "state": peewee.TextField(),
        "kind": peewee.TextField(),
        "reason": peewee.TextField(),
        "code": peewee.IntegerField(null=True),
        "signal": peewee.IntegerField(null=True),
        "why": peewee.TextField(),
        "pause": peewee.FloatField(null=True),
        "log": peewee.TextField(),
    },
    stamps=(),
)

SampleTable = _table(
    "metrics_history",
    {
        "id": peewee.AutoField(),
        "timestamp": peewee.IntegerField(),
        "cpu_usage": peewee.FloatField(null=True),
        "memory_usage": peewee.FloatField(null=True),
        "disk_usage": peewee.FloatField(null=True),
        "gpu_usage": peewee.FloatField(null=True),
        "gpu_temperature": peewee.FloatField(null=True),
        "gpu_memory_used": peewee.FloatField(null=True),
        "gpu_memory_total": peewee.FloatField(null=True),
        "gpu_power_usage": peewee.FloatField(null=True),
        "active_models": peewee.IntegerField(null=True),
        "uptime": peewee.IntegerField(null=True),
        "requests_per_minute": peewee.FloatField(null=True),
    },
    stamps=("created_at",),
)

FootprintTable = _table(
    "footprints",
    {
        "id": peewee.AutoField(),
        "key": peewee.TextField(),
        "source": peewee.TextField(),
        "memory": peewee.TextField(),
    },
    stamps=("created_at",),
)

EventTable = _table(
    "events",
    {
        "id": peewee.IntegerField(primary_key=True),
        "at": peewee.IntegerField(),
        "type": peewee.TextField(),
        "event": peewee.TextField(),
    },
    stamps=(),
)

KeyTable = _table(
    "keys",
    {
        "id": peewee.TextField(primary_key=True),
        "name": peewee.TextField(),
        "digest": peewee.TextField(),
        "scopes": peewee.TextField(),
        "models": peewee.TextField(null=True),
        "expires": peewee.IntegerField(null=True),
        "rate": peewee.FloatField(),
        "parallel": peewee.IntegerField(),
        "priority": peewee.IntegerField(),
        "wait": peewee.TextField(constraints=[peewee.SQL("DEFAULT ''")]),
        "created": peewee.IntegerField(),
        "last_used": peewee.IntegerField(null=True),
        "revoked": peewee.IntegerField(null=True),
    },
    stamps=(),
)
RequestTable = _table(
    "requests",
    {
        "number": peewee.AutoField(),
        "prompt_tokens": peewee.IntegerField(null=True),
        "cached_tokens": peewee.IntegerField(null=True),
        "generated_tokens": peewee.IntegerField(null=True),
        "draft_tokens": peewee.IntegerField(null=True),
        "accepted_tokens": peewee.IntegerField(null=True),
        "prompt_rate": peewee.FloatField(null=True),
        "generation_rate": peewee.FloatField(null=True),
        "finish": peewee.TextField(),
        "id": peewee.TextField(),
        "at": peewee.IntegerField(),
        "model": peewee.TextField(),
        "endpoint": peewee.TextField(),
        "client": peewee.TextField(),
        "key": peewee.TextField(),
        "status": peewee.IntegerField(null=True),
        "error": peewee.TextField(),
        "queued": peewee.FloatField(),
        "loading": peewee.FloatField(),
        "first": peewee.FloatField(null=True),
        "duration": peewee.FloatField(),
    },
    stamps=(),
)
"""Tied to the name of a model, not to its row: what it did is remembered when it has gone. Durations are seconds."""

_index(ModelTable, "models_name", "name", unique=True)
_index(ModelTable, "models_type", "type")
_index(ModelTable, "models_created", "created_at")
for _group, _group_table in GROUP_TABLES.items():
    _index(_group_table, f"{_group}_model_id", "model_id", unique=True)
_index(FitTable, "fit_params_model_id", "model_id", unique=True)
_index(ExitTable, "exits_model_id", "model_id")
_index(AliasTable, "aliases_model_id", "model_id")
_index(FootprintTable, "footprints_key", "key", "source")
_index(SeriesTable, "metrics_series", "step", "at")
_index(SampleTable, "metrics_timestamp", "timestamp")
_index(SampleTable, "metrics_created_at", "created_at")
_index(RequestTable, "requests_id", "id")
_index(RequestTable, "requests_at", "at")
for _filter in ("model", "key", "status"):
    _index(RequestTable, f"requests_{_filter}_at", _filter, "at")
GROUP_TABLES["server"].add_index(
    peewee.SQL(  # NULLs are not equal to each other: without it there could be several rows for all models
        'CREATE UNIQUE INDEX IF NOT EXISTS "idx_server_defaults" ON "model_server_config" (("model_id" IS NULL)) '
        'WHERE "model_id" IS NULL'
    )
)

TABLES = (
    Metadata,
    ModelTable,
    *GROUP_TABLES.values(),
    FitTable,
    AliasTable,
    PresetTable,
    ExitTable,
    SampleTable,
    SeriesTable,
    FootprintTable,
    EventTable,
    KeyTable,
    RequestTable,
)

MEASURED = (SampleTable, SeriesTable, RequestTable)
"""Those that are written all the time, and grow: what is wrong with them is told by who reads or writes them."""
