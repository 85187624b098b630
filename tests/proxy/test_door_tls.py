"""The same door, with TLS before it."""

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import pytest

from llamactl.core.access import Key
from llamactl.core.errors import BadRequest
from llamactl.daemon.tls import Tls, load
from llamactl.proxy.access import Gate
from llamactl.proxy.connection import LINGER
from tests.certificates import Certificate
from tests.proxy.asking import ask, post
from tests.proxy.front import opened, until
from tests.proxy.gates import OpenGate
from tests.proxy.upstreams import always, chunked, echo
from tests.proxy.wire import take_answer

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


@pytest.mark.parametrize(("length", "status"), [(5_000_000, 401), (50_000_000, 413)])
async def test_who_is_refused_early_may_read_why(
    tmp_path: Path, certificate: Certificate, length: int, status: int
) -> None:
    """A connection that is closed while the client still sends would be reset, and what was written to it lost."""
    gate = Gate() if status == 401 else OpenGate()
    if status == 401:
        gate.admit([Key(id="abcd", name="editor", digest="none")])
    async with opened(tmp_path, tls=tls(certificate).context, gate=gate, max_body=10_000_000) as front:
        connected, read_on = threading.Event(), threading.Event()

        def upload() -> bytes:
            plain = socket.create_connection(front.address)
            with certificate.trusted().wrap_socket(plain, server_hostname="localhost") as secured:
                head = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                secured.sendall(head + b"Content-Length: %d\r\n\r\n{" % length)
                connected.set()
                read_on.wait(20)
                for _ in range(30):
                    secured.sendall(b"x" * 100_000)
                return secured.recv(1 << 16)

        uploading = asyncio.ensure_future(asyncio.to_thread(upload))
        await until(connected.is_set)
        await front.settled()
        assert [connection._lingering for connection in front.door.connections] == [True]
        read_on.set()
        answer, _ = take_answer(await uploading, b"POST", closed=False) or pytest.fail("no whole answer")
        assert answer.status == status and answer.header(b"connection") == b"close"
        await until(lambda: not front.door.connections)


async def test_who_is_refused_early_and_stays_is_sent_away(tmp_path: Path, certificate: Certificate) -> None:
    async with opened(tmp_path, tls=tls(certificate).context, max_body=10) as front:
        client = await front.client(tls=certificate.trusted())
        assert (await client.ask(post(b"x" * 1000)[:-1])).status == 413
        front.pass_time(LINGER)
        await client.rest()
        await until(lambda: not front.door.connections)
