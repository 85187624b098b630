"""Moments as they are typed: `15m`, `10:30`, `yesterday`, `2026-01-31 10:30`."""

from datetime import datetime, timedelta

from llamactl.core.errors import BadRequest
from llamactl.core.units import parse_duration


def moment(text: str, now: datetime) -> float:
    """Seconds since the epoch. A duration is so long ago; a time without a zone is one here. Raises `BadRequest`."""
    word = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("now", "today", "yesterday"):
        return {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[word].timestamp()
    try:
        if word.startswith("@"):
            return float(word[1:])
        if ":" in word and "-" not in word:
            clock = datetime.strptime(word, "%H:%M:%S" if word.count(":") == 2 else "%H:%M")
            return midnight.replace(hour=clock.hour, minute=clock.minute, second=clock.second).timestamp()
        if "-" in word:
            return datetime.fromisoformat(text.strip()).timestamp()
        return now.timestamp() - parse_duration(word.removesuffix(" ago"))
    except (ValueError, BadRequest):
        raise BadRequest(f"not a time: {text!r}", "write it like 15m, 10:30, yesterday or 2026-01-31 10:30") from None
