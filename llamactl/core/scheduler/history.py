"""How long models take to load, as far as they have been seen to."""

from collections import deque
from statistics import median

RECENT, OF_EACH = 33, 5


class Loads:
    """Seconds from the decision to start a model until it served."""

    def __init__(self) -> None:
        self._of: dict[str, deque[float]] = {}
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._typical: dict[str, float] = {}
        self.any: float | None = None
        """What a load of any model takes; None before the first."""

    def add(self, model: str, seconds: float) -> None:
        own = self._of.setdefault(model, deque(maxlen=OF_EACH))
        own.append(seconds)
        self._recent.append(seconds)
        self._typical[model] = median(own)
        self.any = median(self._recent)

    def of(self, model: str) -> tuple[float, ...]:
        """Its last ones, the newest last."""
        return tuple(self._of.get(model, ()))

    def forget(self, model: str) -> None:
        self._of.pop(model, None)
        self._typical.pop(model, None)

    def typical(self, model: str) -> float | None:
        """The median of its last loads, else of everybody's."""
        return self._typical.get(model, self.any)
