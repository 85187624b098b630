"""What llama-fit-params said of a model."""

import msgspec

from llamactl.store.access import Access
from llamactl.store.tables import FIT_COLUMNS


class FitParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An analysis: what it recommends, or why it failed. What is not known is None.

    `fit_params_analyzed_at` is milliseconds since the epoch, `file_size_bytes` the size of the file then; memory in
    MiB, `parameter_count` as it is, not in billions.
    """

    recommended_ctx_size: int | None = None
    recommended_gpu_layers: int | None = None
    recommended_tensor_split: str | None = None
    file_size_bytes: int | None = None
    quantization_type: str | None = None
    parameter_count: int | None = None
    architecture: str | None = None
    context_window: int | None = None
    fit_params_analyzed_at: int | None = None
    fit_params_success: bool = False
    fit_params_error: str | None = None
    fit_params_raw_output: str | None = None
    projected_cpu_memory_mb: float | None = None
    projected_gpu_memory_mb: float | None = None


_LISTED = ", ".join(f'"{name}"' for name in FIT_COLUMNS)
_REPLACED = ", ".join(f'"{name}" = excluded."{name}"' for name in (*FIT_COLUMNS, "updated_at"))
_SELECT = f'SELECT {_LISTED} FROM "model_fit_params" WHERE "model_id" = (SELECT "id" FROM "models" WHERE "name" = ?)'
_INSERT = (
    f'INSERT INTO "model_fit_params" ("model_id", "created_at", "updated_at", {_LISTED}) '
    f'VALUES (?, ?, ?{", ?" * len(FIT_COLUMNS)}) ON CONFLICT ("model_id") DO UPDATE SET {_REPLACED}'
)
_UPDATE = 'UPDATE "models" SET "fit_params_available" = ?, "last_fit_params_check" = ? WHERE "id" = ?'


class Fits:
    """The last analysis of each model."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def get(self, model: str) -> FitParams | None:
        """None for a model that has never been analysed, or is not there."""
        with self._access.reading() as connection:
            row = connection.execute(_SELECT, (model,)).fetchone()
            if row is None:
                return None
            values = {name: value for name, value in zip(FIT_COLUMNS, row, strict=True) if value is not None}
            return msgspec.convert(values, FitParams, strict=False)

    def put(self, model: str, fit: FitParams) -> bool:
        """Instead of an earlier one; False if there is no such model."""
        now = self._access.milliseconds()
        values = [getattr(fit, name) for name in FIT_COLUMNS]
        checked = now if fit.fit_params_analyzed_at is None else fit.fit_params_analyzed_at
        with self._access.writing() as connection:
            found = connection.execute('SELECT "id" FROM "models" WHERE "name" = ?', (model,)).fetchone()
            if found is None:
                return False
            connection.execute(_UPDATE, (fit.fit_params_success, checked, *found))
            connection.execute(_INSERT, (*found, now, now, *values))
            return True
