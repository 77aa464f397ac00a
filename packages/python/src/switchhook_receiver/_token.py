"""Checking tokens: a compact JWS (RFC 7515) with HS256, one form, no options."""

import base64
import hashlib
import hmac
import json
import re
from typing import Sequence

from ._refusal import Refusal

#: The longest body that is looked at: 2 MiB, twice what any sender sends.
MAX_BODY_BYTES = 2 * 1024 * 1024

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def verify_token(token: bytes, secrets: Sequence[bytes]) -> bytes:
    """The payload of a token that one of the secrets signed."""
    if not token:
        raise Refusal("empty", "the token is empty")
    if token.lstrip(b" \t\n\x0c\r").startswith(b"{"):
        raise Refusal("plain_json", "this is plain JSON and not a signed token; the sending webhook has no secret")
    segments = token.split(b".")
    if len(segments) != 3:
        raise Refusal("segments", f"a compact JWS has 3 segments separated by dots, and the token has {len(segments)}")
    header, payload, signature = segments
    _check_header(_decode(header, "header"))
    given = _decode(signature, "signature")
    signed = header + b"." + payload
    for secret in secrets:
        if hmac.compare_digest(hmac.new(secret, signed, hashlib.sha256).digest(), given):
            return _decode(payload, "payload")
    raise Refusal(
        "wrong_signature",
        "the signature matches none of the secrets known here: another secret, or the body was changed on its way",
    )


def _check_header(header: bytes) -> None:
    try:
        members = json.loads(header.decode("utf-8"))
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise Refusal("header_not_json", "the token's header is not a JSON object")
    if "crit" in members:
        raise Refusal("critical", "the token's header has `crit`, which asks for extensions that are not supported")
    if "alg" not in members:
        raise Refusal("no_algorithm", "the token's header names no algorithm; only HS256 is accepted")
    algorithm = members["alg"]
    if algorithm == "HS256":
        return
    if isinstance(algorithm, str) and algorithm.lower() == "none":
        raise Refusal("unsigned", "the token says it is not signed (algorithm `none`); only HS256 is accepted")
    found = json.dumps(algorithm)[:64]
    raise Refusal("other_algorithm", f"the token is signed with {found}; only HS256 is accepted")


def _decode(segment: bytes, part: str) -> bytes:
    if segment.endswith(b"="):
        raise Refusal("padded", f"the {part} of the token is padded with `=`; a JWS uses base64url without padding")
    if not re.fullmatch(rb"[A-Za-z0-9_-]*", segment):
        raise Refusal(
            "not_base64", f"the {part} of the token is not base64url: there is white space or another character"
        )
    rest = len(segment) % 4
    if rest == 1:
        raise Refusal("cut_off", f"the {part} of the token is cut off: {len(segment)} characters are no whole bytes")
    # The bits of the last character that belong to no byte.
    spare = {0: 0, 2: 15, 3: 3}[rest]
    if spare and _ALPHABET.index(segment[-1:]) & spare:
        raise Refusal("not_canonical", f"the {part} of the token ends in a character that no encoder writes")
    return base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
