"""authTokens on the wire: compact JWTs, signed with Ed25519 (RFC 9864), verified against the public keys alone.

There is no `typ` in the header: the key signs authTokens and nothing else, so there is nothing to confuse them with, and the
20 characters are worth more as room for the issuer (docs/decisions/0003-short-tokens.md).
"""

import json
from collections.abc import Collection, Sequence

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from shared.domain import errors
from shared.domain.token import TokenClaims, claims_from_payload
from shared.keys import Jwk, SigningKey
from shared.signatures import ALGORITHM, Forged, Signatures, Unfamiliar, signed

LONGEST = 350
"""Characters of a token we mint. Players were seen to cut long tokens; Sonos itself allows 2,048."""

_written = json.JSONEncoder(separators=(",", ":")).encode


def sign(claims: TokenClaims, key: SigningKey) -> str:
    """Return the token for *claims*; Ed25519 is deterministic, so the same claims always give the same token."""
    return signed(_written(claims.payload()).encode(), key)


class TokenVerifier:
    """Checks signature, issuer and service of tokens; knows nothing of revocation."""

    def __init__(self, public_keys: Sequence[Jwk], *, issuer: str) -> None:
        self._keys = KeySet([OKPKey.import_key(dict(jwk)) for jwk in public_keys])
        self._signatures = Signatures(public_keys)
        self._issuer = issuer

    def verify(self, token: str, *, service: str) -> TokenClaims:
        """Return the claims of a genuine token for *service*, expired or not.

        Raises:
            TokenRefused: not a token of ours, or for another service.
        """
        return self.verify_for(token, services=(service,))

    def verify_for(self, token: str, *, services: Collection[str]) -> TokenClaims:
        """Return the claims of a genuine token for one of *services*, expired or not.

        Raises:
            TokenRefused: not a token of ours, or for another service.
        """
        if len(token) > LONGEST:
            raise errors.TokenRefused("longer than any token of this service")
        claims = self.genuine(token)
        if claims.service not in services:
            raise errors.TokenRefused("for another service")
        return claims

    def genuine(self, token: str) -> TokenClaims:
        """Return the claims of a genuine token for whatever service, expired or not; always the same for the same token.

        Raises:
            TokenRefused: not a token of ours.
        """
        claims = claims_from_payload(self._payload(token))
        if claims.issuer != self._issuer:
            raise errors.TokenRefused("issued elsewhere")
        return claims

    def _payload(self, token: str) -> dict[str, object]:
        try:
            payload = json.loads(self._signed(token))
        except (Forged, JoseError, ValueError) as error:
            raise errors.TokenRefused from error
        if not isinstance(payload, dict):
            raise errors.TokenRefused
        return payload

    def _signed(self, token: str) -> bytes:
        try:
            return self._signatures.payload(token)
        except Unfamiliar:
            return jws.deserialize_compact(token, self._keys, algorithms=[ALGORITHM]).payload
