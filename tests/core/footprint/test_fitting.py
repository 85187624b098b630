from hypothesis import given
from hypothesis import strategies as st

from llamactl.core.eviction import exceeds
from llamactl.core.footprint import Parts, learned, project, together, totals
from llamactl.core.footprint.fitting import STEP, largest_context, options
from llamactl.core.model import HOST
from tests.core.footprint.facts import BIG, EIGHT, GIB, KV_PER_TOKEN, MIB, SMALL, like, subject


def test_nothing_is_added_first_then_the_context_is_halved() -> None:
    assert [option.get("ctx_size") for option in options(subject(), {}, [])] == [
        None, 65536, 32768, 16384, 8192, 4096,
    ]  # fmt: skip
    assert list(options(subject(), {"ctx_size": 8192}, [])) == [{}]
    assert list(options(subject(), {"fit": "off"}, [BIG])) == [{}]
    assert [option.get("ctx_size") for option in options(subject(), {"fit_ctx": 30000}, [])] == [None, 65536, 32768]


def test_then_layers_stay_with_the_host() -> None:
    found = list(options(subject(), {}, [SMALL]))
    assert [option["gpu_layers"] for option in found[6:]] == [*range(32, -1, -2)]
    assert {option["ctx_size"] for option in found[6:]} == {4096}
    assert all("gpu_layers" not in option for option in options(subject(), {"gpu_layers": "all"}, [SMALL]))
    needs = [totals(project(subject(), option, [SMALL]))["CUDA1"] for option in found[:-1]]
    assert needs == sorted(needs, reverse=True)


@given(st.integers(0, 40 * 1024))
def test_the_largest_context_fits_and_the_next_does_not(mib: int) -> None:
    room = {HOST: mib * MIB}
    found = largest_context(subject(), {}, [], room)
    if found is not None:
        assert not exceeds(totals(project(subject(), {"ctx_size": found})), room)
    if found != EIGHT.context_length:
        larger = (found or 0) + STEP
        assert exceeds(totals(project(subject(), {"ctx_size": larger})), room)


def test_the_whole_context_where_there_is_room() -> None:
    assert largest_context(subject(), {"ctx_size": 512}, [BIG], {"CUDA0": 100 * GIB, HOST: 9 * GIB}) == 131072
    assert largest_context(subject(like(context_length=1000)), {}, [], {HOST: 100 * GIB}) == 1000


@given(st.integers(256, 1 << 20), st.integers(1, 16), st.integers(1, 4096))
def test_more_context_never_needs_less(context: int, slots: int, more: int) -> None:
    settings = {"n_parallel": slots}
    less, larger = (
        project(subject(), {**settings, "ctx_size": size}, [BIG])["CUDA0"] for size in (context, context + more)
    )
    assert less.total <= larger.total
    assert less.kv >= context // slots * slots * KV_PER_TOKEN


def test_most_of_the_measured_took_no_more() -> None:
    samples = [{HOST: Parts(kv=number)} for number in range(20, 0, -1)]
    assert learned.need(samples) == {HOST: 19}
    assert learned.need(samples[:1]) == {HOST: 20}
    assert learned.need([{HOST: Parts(kv=1)}, {"CUDA0": Parts(kv=5)}]) == {HOST: 1, "CUDA0": 5}


def test_what_it_said_counts_and_what_was_seen_beside_it() -> None:
    said, projected = {HOST: Parts(weights=100, kv=50)}, {HOST: Parts(weights=90, kv=60, overhead=20)}
    assert learned.taken(said, projected, {HOST: 120}) == {HOST: Parts(weights=100, kv=50, overhead=20)}
    assert learned.taken(said, projected, {HOST: 180}) == {HOST: Parts(weights=100, kv=50, overhead=30)}
    assert learned.taken(said, projected, {HOST: 999})[HOST].total == int(170 * learned.GROWTH), "cache is not need"
    assert learned.taken({}, projected, {HOST: 1}) == projected
    again = {HOST: Parts(weights=100, kv=50, overhead=70)}
    assert learned.taken(again, projected, {HOST: 1})[HOST].overhead == 20, "seen anew each time"
    gpu = {"CUDA0": Parts(kv=50)}
    assert learned.taken(gpu, projected, {"CUDA0": 60}) == {
        "CUDA0": Parts(kv=50, overhead=10),
        HOST: Parts(overhead=20),
    }


def test_what_died_of_memory_needs_more() -> None:
    assert totals(learned.corrected({HOST: 100, "CUDA0": 40}, "CUDA0", None)) == {HOST: 100, "CUDA0": 50}
    assert totals(learned.corrected({HOST: 100}, HOST, 500)) == {HOST: 500}
    assert totals(learned.corrected({HOST: 100}, HOST, 5)) == {HOST: 125}


def test_parts_are_added_up() -> None:
    assert together([{HOST: Parts(kv=1)}, {HOST: Parts(kv=2, output=3), "a": Parts(state=1)}]) == {
        HOST: Parts(kv=3, output=3),
        "a": Parts(state=1),
    }
    assert Parts(weights=1, kv=2, state=3, compute=4, output=5, overhead=6).total == 21
