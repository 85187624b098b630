"""The certificate of the front door."""

import ssl

from llamactl.core.errors import BadRequest


class Tls:
    """`context` stays the same, and gives each new connection what was read last.

    Raises `BadRequest` for files that cannot be used; then what was read before goes on.
    """

    def __init__(self, certificate: str, key: str | None) -> None:
        self.context = self._latest = load(certificate, key)
        self.context.sni_callback = self._choose

    def again(self, certificate: str, key: str | None) -> None:
        self._latest = load(certificate, key)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._latest


def load(certificate: str, key: str | None) -> ssl.SSLContext:
    """HTTP/1.1 over TLS 1.2 or later. Without `key` it is in the file of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        files = certificate if key is None else f"{certificate} with {key}"
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise BadRequest(f"cannot serve TLS with {files}: {why}", "http.tls_cert and http.tls_key take PEM") from None
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted, and there is nobody to ask for its password")
