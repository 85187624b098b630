"""Is it busy, or does nothing move in it any more?

A wedged llama-server still answers `/health`; one on a slow machine may work for minutes without a word. So nothing
counts but this: it has had a request of ours all the time, and for the whole window no byte of an answer came, no
line was logged and its count of decodes stood still (or was not told: the loop that would tell it is the one that
hangs).
"""

from collections.abc import Mapping

import msgspec


class Look(msgspec.Struct, frozen=True):
    """What was seen of an instance with requests.

    `answers` says for each of them how far its answer is, in values that can only be compared; `logged` is bytes,
    `decodes` None where no answer came.
    """

    answers: Mapping[int, object]
    logged: int
    decodes: int | None = None


class Watch(msgspec.Struct, frozen=True):
    """`since` when nothing has moved (seconds), as of the last `look`."""

    since: float
    look: Look


def compare(watch: Watch | None, look: Look, now: float) -> Watch:
    """The watch after one more look; without one before, it begins."""
    if watch is None or _moved(watch.look, look):
        return Watch(now, look)
    decodes = watch.look.decodes if look.decodes is None else look.decodes
    return Watch(watch.since, msgspec.structs.replace(look, decodes=decodes))


def _moved(before: Look, after: Look) -> bool:
    """Requests that came or went tell nothing: clients give up, and ask again. One that was answered was decoded."""
    if before.logged != after.logged:
        return True
    if after.decodes is not None and before.decodes is not None and before.decodes != after.decodes:
        return True
    # `is`: two pieces of an answer may look the same.
    return any(after.answers[key] is not at for key, at in before.answers.items() if key in after.answers)
