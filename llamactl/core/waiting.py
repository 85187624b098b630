"""What there is to say to who waits for a model."""


def told(
    model: str,
    state: str,
    passed: float | None = None,
    eta: float | None = None,
    position: int | None = None,
    next_try: float | None = None,
    loaded: float | None = None,
) -> str:
    """In one line. `passed` is how long it has been in that state, `eta` how long it will still take, `next_try` when
    it is started again, in seconds; `loaded` the part of its file that has been read, 0 to 1; `position` that in the
    queue, 1 for the next."""
    if state in ("starting", "loading"):
        done = percent(passed, eta, loaded)
        if done is None:
            return f"loading {model}, {max(0.0, passed or 0.0):.0f} s so far …"
        return f"loading {model} {done}% …"
    if state == "backoff":
        return f"{model} died, and is started again in {max(0.0, next_try or 0.0):.0f} s"
    place = "" if position is None else f", position {position}"
    return f"queued{place}" + ("" if eta is None else f", about {eta:.0f} s")


def percent(passed: float | None, eta: float | None, loaded: float | None) -> int | None:
    """How far a load is, 0 to 99: by what loads took before, else by the part of the file that has been read. None if
    neither is known."""
    if eta is not None:
        passed = max(0.0, passed or 0.0)
        loaded = passed / (passed + eta) if passed + eta else 0.0
    return None if loaded is None else min(99, round(100 * loaded))
