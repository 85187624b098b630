"""JSON Web Tokens, good and forged."""

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from llamactl.core.access import Caller
from llamactl.core.errors import BadRequest, Unauthorized
from llamactl.proxy.tokens import Tokens, public_key, secret

SECRET = b"s" * 32
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()


def pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "me", "exp": time.time() + 600, "scope": "openid infer observe", **more}


def verify(token: str, **options: Any) -> Caller:
    return Tokens(SECRET, "HS256", **options).verify(token)


def token(**more: Any) -> str:
    return jwt.encode({key: value for key, value in claims(**more).items() if value is not None}, SECRET)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (ED, "EdDSA")])
def test_public_keys(tmp_path: Path, key: Any, algorithm: str) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem(key))
    tokens = Tokens(*public_key(str(file)), leeway=30)
    caller = tokens.verify(jwt.encode(claims(exp=2e9), key, algorithm))
    assert caller == Caller("jwt:me", "me", "observe", until=2e9 + 30)
    with pytest.raises(Unauthorized, match="not accepted"):
        tokens.verify(jwt.encode(claims(), SECRET))


def test_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    assert secret(str(file)) == (SECRET, "HS256")
    assert verify(token()).scope == "observe"


def test_the_public_key_is_no_secret() -> None:
    """Whoever signs with what is public, and says HS256, must not be believed."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims(scope="admin"))]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(pem(RSA), text, "sha256")).rstrip(b"=")
    for key in (RSA.public_key(), ED.public_key()):
        with pytest.raises(Unauthorized):
            Tokens(key, "RS256" if key == RSA.public_key() else "EdDSA").verify(f"{text.decode()}.{signature.decode()}")


def test_unsigned_ones() -> None:
    for forged in (jwt.encode(claims(), "", "none"), token().rpartition(".")[0] + ".", "a.b.c", "..", ""):
        with pytest.raises(Unauthorized):
            verify(forged)


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ({"exp": None}, {}),
        ({"exp": 1000}, {}),
        ({"nbf": 4e9}, {}),
        ({"aud": "other"}, {}),
        ({"aud": "other"}, {"audience": "us"}),
        ({}, {"audience": "us"}),
        ({"iss": "them"}, {"issuer": "us"}),
        ({}, {"issuer": "us"}),
    ],
)
def test_ones_that_do_not_count(more: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verify(token(**more), **options)


def test_those_that_do() -> None:
    assert verify(token(aud=["us", "x"], iss="me"), audience="us", issuer="me").scope == "observe"
    now = time.time()
    assert verify(token(exp=now - 20)).key == "jwt:me"
    with pytest.raises(Unauthorized):
        verify(token(exp=now - 40))


@pytest.mark.parametrize(
    ("claim", "scope"),
    [
        ("admin", "admin"),
        (["infer", "control"], "control"),
        ("openid", ""),
        (7, ""),
        ({"admin": 1}, ""),
        (["admin", 1], "admin"),
        (None, ""),
    ],
)
def test_scopes(claim: object, scope: str) -> None:
    assert verify(token(scope=claim)).scope == scope
    assert verify(token(scope="admin", roles=claim), scopes="roles").scope == scope


def test_models() -> None:
    assert verify(token(models=["a*"])).models is None
    assert verify(token(models=["a*"]), models="models").models == ("a*",)
    assert verify(token(), models="models").models == ()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot read"),
        (b"no key", "no public key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither"),
        (pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
    ],
)
def test_keys_that_will_not_do(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadRequest, match=why):
        public_key(str(file))


@pytest.mark.parametrize(
    ("content", "why"), [(b"short", "shorter than 32"), (pem(RSA), "in PEM"), (None, "cannot read")]
)
def test_secrets_that_will_not_do(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadRequest, match=why):
        secret(str(file))
