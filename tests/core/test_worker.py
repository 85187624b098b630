"""Where a worker may listen."""

import pytest

from llamactl.core.errors import BadRequest, Refused
from llamactl.core.worker import Order, addresses, checked


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost"])
def test_this_machine_alone(host: str) -> None:
    order = checked(Order(host=host, port=1), insecure=False)
    assert order.address == ("127.0.0.1:1" if host == "localhost" else f"{host}:1")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "8.8.8.8"])
def test_others_only_if_it_is_asked_for(host: str) -> None:
    with pytest.raises(Refused, match="no authentication") as refused:
        checked(Order(host=host, port=1), insecure=False)
    assert "--insecure" in refused.value.hint
    assert checked(Order(host=host, port=1), insecure=True).host == host


@pytest.mark.parametrize(("host", "port"), [("::1", 1), ("", 1), ("gpu", 1), ("127.0.0.1", 0), ("127.0.0.1", 65536)])
def test_what_the_program_could_not_listen_on(host: str, port: int) -> None:
    with pytest.raises(BadRequest):
        checked(Order(host=host, port=port), insecure=True)


def test_addresses_of_a_setting() -> None:
    assert addresses("10.0.0.2:1, 10.0.0.3:2,10.0.0.2:1") == ("10.0.0.2:1", "10.0.0.3:2")
    assert addresses(None) == addresses("") == ()
