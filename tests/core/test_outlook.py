from llamactl.core.eviction import Memory
from llamactl.core.outlook import outlook
from llamactl.core.scheduler import Group, Limits, Scheduler

LIMITS = Limits(budget={"host": 10})


def running(*residents: tuple[str, int], limits: Limits = LIMITS, pinned: str = "", leaving: str = "") -> Scheduler:
    """These are ready; the first has been idle for longest."""
    scheduler = Scheduler(limits)
    for number, (model, size) in enumerate(residents):
        scheduler.request(number, model, {"host": size}, float(number))
        scheduler.ready(model, float(number))
        scheduler.release(scheduler.residents[model], float(number))
    for model in pinned:
        scheduler.pin(model)
    for model in leaving:
        scheduler.retire(model, 10.0)
        for one in pinned:
            scheduler.pin(one)
    return scheduler


def evicts(need: Memory, scheduler: Scheduler) -> tuple[str, ...] | None:
    found = outlook(scheduler, "new", need, 20.0)
    return None if found.problem else found.evicts


def test_beside_what_runs() -> None:
    found = outlook(running(("a", 4)), "new", {"host": 6}, 20.0)
    assert (found.budget, found.free, found.reach, found.evicts) == ({"host": 10}, {"host": 6}, {"host": 10}, ())


def test_who_goes() -> None:
    assert evicts({"host": 6}, running(("a", 5), ("b", 4))) == ("a",)
    assert evicts({"host": 6}, running(("b", 4), ("a", 5))) == ("a",), "the other alone would not do"


def test_pinned_ones_stay() -> None:
    found = outlook(running(("a", 5), pinned="a"), "new", {"host": 6}, 20.0)
    assert found.reach == {"host": 5}
    assert found.problem is not None
    assert "5 B are pinned" in found.problem.message


def test_a_pinned_one_that_is_leaving_counts_as_gone() -> None:
    found = outlook(running(("a", 5), pinned="a", leaving="a"), "new", {"host": 6}, 20.0)
    assert (found.free, found.reach, found.evicts, found.problem) == ({"host": 5}, {"host": 10}, (), None)


def test_its_own_memory_is_free() -> None:
    assert evicts({"host": 10}, running(("new", 9))) == ()


def test_places_count_too() -> None:
    limits = Limits(budget={"host": 10}, max_models=1)
    assert evicts({"host": 1}, running(("a", 1), limits=limits)) == ("a",)
    assert evicts({"host": 1}, running(("a", 1), limits=limits, pinned="a")) is None


def test_who_is_not_of_an_exclusive_group_goes() -> None:
    alone = Group(name="alone", models=frozenset({"new"}), exclusive=True)
    limits = Limits(budget={"host": 10}, groups=(alone,))
    assert evicts({"host": 1}, running(("a", 1), ("b", 1), limits=limits)) == ("a", "b")
    assert evicts({"host": 1}, running(("a", 1), ("b", 1), limits=limits, pinned="b")) is None
