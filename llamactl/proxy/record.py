"""What is remembered of one request for a model, and of those under way."""

from time import monotonic


class Record:
    """Times are monotonic seconds: when it `arrived`, was `leased` a model, had a `first` byte
    of its answer, `ended`.

    `status` is what the client was told, 0 if nothing.
    """

    __slots__ = ("arrived", "ended", "endpoint", "first", "leased", "model", "status")

    def __init__(self, endpoint: str, model: str) -> None:
        self.endpoint = endpoint
        self.model = model
        self.arrived = monotonic()
        self.leased = self.first = self.ended = 0.0
        self.status = 0


class Journal:
    """The requests under way."""

    def __init__(self) -> None:
        self.under_way: set[Record] = set()

    def begin(self, endpoint: str, model: str) -> Record:
        record = Record(endpoint, model)
        self.under_way.add(record)
        return record

    def end(self, record: Record) -> None:
        record.ended = monotonic()
        self.under_way.discard(record)
