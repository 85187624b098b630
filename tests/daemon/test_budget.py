import os
from collections.abc import Callable

from llamactl.config.sections import Residency
from llamactl.config.values import Size
from llamactl.core.devices import Device
from llamactl.core.model import HOST
from llamactl.daemon.budget import Budget
from llamactl.metrics.host import private_memory


def budget_of(residency: Residency, available: Callable[[], int] = lambda: 0) -> Budget:
    return Budget(lambda: residency, available)


GPU = Device(name="CUDA0", total=24, free=20)


def test_what_is_free_and_what_ours_have_less_the_margin() -> None:
    budget = budget_of(Residency(margin=Size(100)), lambda: 1000)
    assert budget([]) == {HOST: 900} == budget.last
    mine = budget([os.getpid()])[HOST] - 900
    assert abs(mine - private_memory(os.getpid())) < 1 << 22


def test_configured() -> None:
    assert budget_of(Residency(memory=Size(7)), lambda: 1000)([os.getpid()]) == {HOST: 7}
    assert budget_of(Residency(devices={"Host": Size(7)}), lambda: 1000)([os.getpid()]) == {HOST: 7}
    assert budget_of(Residency(memory=Size(5), devices={"host": Size(7)}), lambda: 1000)([]) == {HOST: 5}


def test_gpus_have_what_was_free_less_the_margin() -> None:
    budget = budget_of(Residency(margin=Size(5), memory=Size(7)))
    budget.found([GPU, Device(name="CUDA1", total=9, free=3)])
    assert budget([]) == {HOST: 7, "CUDA0": 15, "CUDA1": 0}
    budget.found([Device(name="CUDA0", total=24, free=1)])
    assert budget([]) == {HOST: 7, "CUDA0": 15}


def test_gpus_have_what_is_free_now_and_what_ours_hold_where_that_can_be_told() -> None:
    told: list[list[int]] = []

    def gpus(pids: list[int]) -> dict[str, int]:
        told.append(pids)
        return {"CUDA0": 22, "CUDA7": 5}

    budget = Budget(lambda: Residency(margin=Size(5), memory=Size(7)), lambda: 0, gpus)
    assert told == [], "nobody is asked before there is a GPU"
    budget.found([GPU, Device(name="CUDA1", total=9, free=8)])
    assert budget([4]) == {HOST: 7, "CUDA0": 17, "CUDA1": 3}
    assert told[-1] == [4]


def test_gpus_as_configured_in_any_case() -> None:
    budget = budget_of(Residency(margin=Size(5), memory=Size(7), devices={"cuda0": Size(12), "Vulkan3": Size(1)}))
    budget.found([GPU])
    assert budget([]) == {HOST: 7, "CUDA0": 12, "Vulkan3": 1}


def test_what_workers_lend() -> None:
    lent = Device(name="RPC0[10.0.0.2:1]", total=9, free=8)
    budget = budget_of(Residency(margin=Size(5), memory=Size(7), devices={"rpc0[10.0.0.3:1]": Size(2)}))
    budget.found([GPU])
    budget.lends("10.0.0.2:1", [lent])
    budget.lends("10.0.0.3:1", [Device(name="RPC0[10.0.0.3:1]", total=9, free=9)])
    assert budget.last == {HOST: 7, "CUDA0": 15, "RPC0[10.0.0.2:1]": 3, "RPC0[10.0.0.3:1]": 2}
    assert budget.of("10.0.0.2:1") == [lent, GPU], "those of workers come first, as in llama-server"
    assert budget.of(None) == [GPU]
    budget.lends("10.0.0.2:1", [])
    assert budget.of("10.0.0.2:1") == [GPU]


def test_another_configuration_counts_at_once() -> None:
    residency = Residency(memory=Size(7))
    budget = Budget(lambda: residency)
    residency = Residency(memory=Size(8))
    assert budget([]) == {HOST: 8}
