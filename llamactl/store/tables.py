"""The tables, as peewee sees them. They are bound to no database: each query is given the one it is for."""

import peewee


class Metadata(peewee.Model):
    """`db_version` is the version of the schema. `updated_at` is milliseconds since the epoch."""

    key = peewee.TextField(primary_key=True)
    value = peewee.TextField()
    updated_at = peewee.IntegerField()

    class Meta:
        table_name = "metadata"


class ModelRow(peewee.Model):
    """`aliases` is a JSON list, `settings` a JSON object; `size` bytes, `added` seconds since the epoch."""

    name = peewee.TextField(unique=True)
    path = peewee.TextField()
    size = peewee.IntegerField()
    aliases = peewee.TextField()
    settings = peewee.TextField()
    added = peewee.FloatField()

    class Meta:
        table_name = "models"


TABLES = (Metadata, ModelRow)
