from llamactl.core.eviction import Memory
from llamactl.core.outlook import outlook
from llamactl.core.scheduler import Limits, Resident

LIMITS = Limits(budget={"host": 10})


def resident(model: str, size: int, used: float = 0.0, state: str = "ready") -> Resident:
    found = Resident(model, {"host": size}, -1.0, used)
    found.state = state  # type: ignore[assignment]
    return found


def evicts(need: Memory, *residents: Resident, pinned: set[str] = frozenset(), limits: Limits = LIMITS) -> object:  # type: ignore[assignment]
    return outlook(limits, residents, pinned, "new", need).evicts


def test_beside_what_runs() -> None:
    found = outlook(LIMITS, [resident("a", 4)], (), "new", {"host": 6})
    assert (found.budget, found.free, found.reach, found.evicts) == ({"host": 10}, {"host": 6}, {"host": 10}, ())


def test_the_least_recently_used_goes() -> None:
    assert evicts({"host": 6}, resident("a", 5, 1.0), resident("b", 4, 2.0)) == ("a",)
    assert evicts({"host": 6}, resident("a", 5, 2.0), resident("b", 4, 1.0)) == ("a",), "the other alone would not do"


def test_pinned_ones_stay() -> None:
    found = outlook(LIMITS, [resident("a", 5)], {"a"}, "new", {"host": 6})
    assert (found.reach, found.evicts) == ({"host": 5}, None)


def test_a_pinned_one_that_is_leaving_counts_as_gone() -> None:
    assert evicts({"host": 6}, resident("a", 5, state="stopping"), pinned={"a"}) == ("a",)


def test_its_own_memory_is_free() -> None:
    assert evicts({"host": 10}, resident("new", 9)) == ()


def test_places_count_too() -> None:
    limits = Limits(budget={"host": 10}, max_models=1)
    assert evicts({"host": 1}, resident("a", 1), limits=limits) == ("a",)
    assert evicts({"host": 1}, resident("a", 1), pinned={"a"}, limits=limits) is None
