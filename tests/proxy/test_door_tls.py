"""The same door, with TLS before it."""

import ssl
from pathlib import Path

import pytest

from llamactl.core.errors import BadRequest
from llamactl.daemon.tls import Tls, load
from tests.certificates import Certificate
from tests.proxy.asking import ask, post
from tests.proxy.front import opened, until
from tests.proxy.upstreams import always, chunked, echo

pytestmark = pytest.mark.anyio


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


def tls(certificate: Certificate) -> Tls:
    return Tls(str(certificate.file), str(certificate.key))


async def test_a_large_body_there_and_back(tmp_path: Path, certificate: Certificate) -> None:
    """It changes hands between two protocols on the way in, and is spliced on the way out."""
    async with opened(tmp_path, tls=tls(certificate).context) as front:
        front.upstream.play = echo
        client = await front.client(tls=certificate.trusted())
        for size in (10, 300_000, 5_000_000, 7):
            body = b'{"model": "a", "x": "%b"}' % (b"y" * size)
            answer = await client.ask(post(body))
            assert answer.status == 200 and body in answer.body


async def test_many_at_once_and_one_who_reads_slowly(tmp_path: Path, certificate: Certificate) -> None:
    async with opened(tmp_path, tls=tls(certificate).context) as front:
        front.upstream.play = always(chunked(*[b"x" * 100_000] * 50))
        slow = await front.client(tls=certificate.trusted(), narrow=True)
        slow.send(ask())
        client = await front.client(tls=certificate.trusted())
        assert len((await client.ask(ask())).body) == 5_000_000
        assert len((await slow.answer(b"POST")).body) == 5_000_000


async def test_what_is_spoken(tmp_path: Path, certificate: Certificate) -> None:
    async with opened(tmp_path, tls=tls(certificate).context) as front:
        client = await front.client(tls=certificate.trusted())
        spoken = client._writer.get_extra_info("ssl_object")
        assert spoken.selected_alpn_protocol() == "http/1.1" and spoken.version() == "TLSv1.3"
        old = certificate.trusted()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert (await (await front.client(tls=old)).ask(ask())).status == 200
        with pytest.warns(DeprecationWarning):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await front.client(tls=old)


async def test_who_speaks_no_tls(tmp_path: Path, certificate: Certificate) -> None:
    async with opened(tmp_path, tls=tls(certificate).context) as front:
        client = await front.client()
        client.send(ask())
        assert b"HTTP" not in await client.rest()
        assert (await (await front.client(tls=certificate.trusted())).ask(ask())).status == 200


async def test_another_certificate_for_those_who_come_from_now_on(tmp_path: Path, certificate: Certificate) -> None:
    served = tls(certificate)
    async with opened(tmp_path, tls=served.context) as front:
        before = certificate.trusted()
        early = await front.client(tls=before)
        assert (await early.ask(ask())).status == 200
        certificate.renew()
        assert (await (await front.client(tls=before)).ask(ask())).status == 200, "nobody has said so yet"
        served.again(str(certificate.file), str(certificate.key))
        with pytest.raises(ssl.SSLCertVerificationError):
            await front.client(tls=before)
        assert (await (await front.client(tls=certificate.trusted())).ask(ask())).status == 200
        assert (await early.ask(ask())).status == 200
        certificate.file.write_text("no certificate")
        with pytest.raises(BadRequest):
            served.again(str(certificate.file), str(certificate.key))
        await until(lambda: len(front.door.connections) >= 1)


def test_files_that_will_not_do(tmp_path: Path, certificate: Certificate) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        load(str(tmp_path / "gone"), None)
    with pytest.raises(BadRequest, match="cannot serve TLS with"):
        load(str(certificate.file), None)
    with pytest.raises(BadRequest, match="cannot serve TLS with"):
        load(str(certificate.file), str(Certificate(tmp_path, "other").key))
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.file.read_bytes() + certificate.key.read_bytes())
    load(str(both), None)
