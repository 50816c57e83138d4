"""What a content server is told of the caller: headers to read, and a short-lived JWT that proves them.

The JWT is signed with a key of the gateway's own, whose public half is served beside that of authTokens and never with it:
a content server's word is of no use at a gateway, and an authToken is of none as this JWT.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from joserfc import jws
from joserfc.jwk import OKPKey

from gateway.caller import Caller
from shared.keys import KeysError, PublicKeys, SigningKey

TYPE = "content+jwt"
LIFETIME = 60
"""Seconds a JWT can be used."""
LEFT_AT_LEAST = 20
"""Seconds a JWT still has when it is sent: a content server's clock need not be ours, nor its queue empty."""
REMEMBERED = 10_000
"""JWTs kept for the next call of the same caller; the oldest make room."""

_ALGORITHM = "Ed25519"
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~\-]*")


def headers_of(caller: Caller) -> dict[str, str]:
    """Return the identity headers; values are percent-encoded (RFC 3986, UTF-8), so that any text is one safe line."""
    values = {
        "Latchkey-Account": caller.account_id,
        "Latchkey-Provider": caller.provider,
        "Latchkey-Subject": caller.subject,
        "Latchkey-Nickname": caller.nickname,
        "Latchkey-Household": caller.household_id,
        "Latchkey-Device": _device(caller),
        "Latchkey-Tier": caller.tier,
    }
    said = {name: value for name, value in values.items() if value}
    if _UNRESERVED.fullmatch("".join(said.values())):
        # Ids and nicknames mostly stand as they are, which is seen for a fifth of what it costs to encode them.
        return said
    return {name: quote(value, safe="") for name, value in said.items()}


def claims_of(caller: Caller) -> dict[str, str]:
    """Return the claims that say the same, in plain Unicode."""
    values = {
        "sub": caller.account_id,
        "service": caller.service,
        "provider": caller.provider,
        "provider_sub": caller.subject,
        "household": caller.household_id,
        "device": _device(caller),
        "gid": caller.grant_id,
        "tier": caller.tier,
    }
    return {name: value for name, value in values.items() if value}


def _device(caller: Caller) -> str | None:
    """Return the device of a caller without an account: only there it is all there is to tell them apart."""
    return None if caller.account_id else caller.device_id


class Voucher:
    """Vouches for callers to content servers; a JWT is used again until shortly before it expires."""

    def __init__(self, keys: Sequence[SigningKey], *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._made: OrderedDict[tuple[Caller, str], tuple[int, str]] = OrderedDict()

    def vouch(self, caller: Caller, *, audience: str, now: int) -> str:
        """Return a JWT about *caller* for one content server.

        Args:
            audience: the content server's address, as the settings have it.
            now: seconds since the epoch.
        """
        made_at, token = self._made.get((caller, audience), (0, ""))
        if not 0 <= now - made_at <= LIFETIME - LEFT_AT_LEAST:
            token = self._sign(caller, audience, now)
            self._made[(caller, audience)] = (now, token)
            self._made.move_to_end((caller, audience))
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        return token

    def _sign(self, caller: Caller, audience: str, now: int) -> str:
        key = self._keys[0].jwk
        header = {"alg": _ALGORITHM, "typ": TYPE, "kid": key["kid"]}
        claims = {
            "iss": self._issuer,
            "aud": audience,
            **claims_of(caller),
            "iat": now,
            "exp": now + LIFETIME,
        }
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return jws.serialize_compact(header, payload, OKPKey.import_key(dict(key)), algorithms=[_ALGORITHM])


def check_keys(keys: Sequence[SigningKey], public_keys: PublicKeys, folder: Path) -> None:
    """Make sure that there is a key to vouch with, and that content servers can verify with its public half.

    Raises:
        KeysError: there is none, or the two files do not belong together; says the way out.
    """
    known = {jwk["kid"] for jwk in public_keys.content}
    if not keys or keys[0].jwk["kid"] not in known:
        raise KeysError(
            f"{folder} has no key for content servers, which content.url in the settings needs; "
            f"add it with `latchkey keys complete {folder}`, and give gateway.json and public.json to every gateway"
        )
