"""Digest answers, against the examples of RFC 2617 3.5 and RFC 7616 3.9.1."""

import pytest

from sipgateway.protocol.digest import ChallengeError, answer_challenge
from sipgateway.protocol.headers import Headers

SHARED = {"method": "GET", "uri": "/dir/index.html", "username": "Mufasa"}
NONCE_2617 = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
NONCE_7616 = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def test_md5_with_qop_is_as_in_rfc_2617() -> None:
    challenge = f'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="{NONCE_2617}"'
    name, value = answer_challenge(
        401,
        Headers([("WWW-Authenticate", challenge)]),
        password="Circle Of Life",
        cnonce="0a4f113b",
        **SHARED,
    )
    assert name == "Authorization"
    assert 'response="6629fae49393a05397450978507c4ef1"' in value
    assert "qop=auth, nc=00000001" in value


def test_sha_256_is_preferred_to_md5_and_as_in_rfc_7616() -> None:
    offers = [
        ("Proxy-Authenticate", f'Digest realm="r", nonce="{NONCE_7616}", algorithm={algorithm}')
        for algorithm in ("MD5", "SHA-256")
    ]
    offers[1] = (
        "Proxy-Authenticate",
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
        f' nonce="{NONCE_7616}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    )
    name, value = answer_challenge(
        407, Headers(offers), password="Circle of Life", cnonce=CNONCE_7616, **SHARED
    )
    assert name == "Proxy-Authorization"
    assert "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" in value
    assert "algorithm=SHA-256" in value


@pytest.mark.parametrize("challenge", ["Basic realm=x", 'Digest realm="x", algorithm=X', "§"])
def test_a_challenge_that_is_no_usable_digest_is_an_error(challenge: str) -> None:
    with pytest.raises(ChallengeError):
        answer_challenge(
            401,
            Headers([("WWW-Authenticate", challenge)]),
            password="secret",
            cnonce="c",
            **SHARED,
        )
