"""JSON Web Tokens as keys. Imported only where they are configured: PyJWT and cryptography take their time."""

from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from llamactl.core.access import TOKEN, Caller, highest
from llamactl.core.errors import BadRequest, Unauthorized

SHORTEST = 32
"""Bytes of a secret: as many as sha256 gives."""


class Tokens:
    """Verifies tokens with one key, which alone decides the algorithm; what a token says of it is not believed."""

    def __init__(
        self,
        key: Any,
        algorithm: str,
        *,
        issuer: str = "",
        audience: str = "",
        scopes: str = "scope",
        models: str = "",
        leeway: float = 30.0,
    ) -> None:
        """`scopes` and `models` are the claims that say them; no `models`: all of them. `leeway` is seconds."""
        self._key = key
        self._algorithm = algorithm
        self._issuer = issuer
        self._audience = audience
        self._scopes = scopes
        self._models = models
        self._leeway = leeway

    def verify(self, text: str) -> Caller:
        """Whose token it is. Raises `Unauthorized`."""
        needed = ["exp", *(["iss"] if self._issuer else []), *(["aud"] if self._audience else [])]
        try:
            claims = jwt.decode(
                text,
                self._key,
                algorithms=[self._algorithm],
                issuer=self._issuer or None,
                audience=self._audience or None,
                leeway=self._leeway,
                options={"require": needed},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(f"the token is not accepted: {error}", "get another one from who issues them") from None
        name = str(claims.get("sub") or "token")
        models = _words(claims.get(self._models, ())) if self._models else None
        scope = highest(_words(claims.get(self._scopes, ())))
        return Caller(f"{TOKEN}{name}", name, scope, models, until=float(claims["exp"]) + self._leeway)


def _words(claim: object) -> tuple[str, ...]:
    if isinstance(claim, str):
        return tuple(claim.split())
    return tuple(word for word in claim if isinstance(word, str)) if isinstance(claim, list) else ()


def secret(file: str) -> tuple[bytes, str]:
    """The secret in this file, for HS256. Raises `BadRequest` for one that is none."""
    content = _read(file).strip()
    if b"-----BEGIN" in content:
        raise BadRequest(f"{file} holds a key in PEM, not a secret", "set access.jwt_public_key instead")
    if len(content) < SHORTEST:
        raise BadRequest(f"the secret in {file} is shorter than {SHORTEST} bytes", "openssl rand -hex 32")
    return content, "HS256"


def public_key(file: str) -> tuple[Any, str]:
    """The public key in this file, and the algorithm that goes with it. Raises `BadRequest` for any other."""
    try:
        key = load_pem_public_key(_read(file))
    except ValueError as error:
        raise BadRequest(f"{file} holds no public key in PEM: {error}", "openssl pkey -pubout") from None
    if isinstance(key, RSAPublicKey):
        if key.key_size < 2048:
            raise BadRequest(f"the key in {file} has {key.key_size} bits; it takes 2048")
        return key, "RS256"
    if isinstance(key, Ed25519PublicKey):
        return key, "EdDSA"
    raise BadRequest(f"the key in {file} is neither RSA nor Ed25519")


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadRequest(f"cannot read {file}: {error.strerror}") from None
