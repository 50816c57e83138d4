"""What an authToken says, and the names of its claims."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain import errors

SENTINEL = "alwaysReauthenticate"
"""Sonos's own word, by field reports, for a privateKey of a service that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClaims:
    """The content of an authToken (RFC 9068 names where they exist)."""

    issuer: str
    service: str
    account_id: str
    grant_id: str
    family: int
    """Counts the times this grant was linked; a new link starts a new family and ends the old one."""
    generation: int
    """Counts the refreshes within the family, from 1."""
    issued_at: int
    expires_at: int

    def payload(self) -> dict[str, str | int]:
        """Return the JWT payload; the same claims always give the same bytes, in this order."""
        return {
            "iss": self.issuer,
            "aud": self.service,
            "sub": self.account_id,
            "gid": self.grant_id,
            "fam": self.family,
            "gen": self.generation,
            "iat": self.issued_at,
            "exp": self.expires_at,
        }

    def is_stale(self, now: int, *, grace: int = 60) -> bool:
        """Tell whether a gateway whose clock says *now* should ask for a successor."""
        return now >= self.expires_at + grace


def claims_from_payload(payload: Mapping[str, object]) -> TokenClaims:
    """Read a JWT payload whose signature was verified.

    Raises:
        TokenRefused: a claim is missing or of the wrong type.
    """
    return TokenClaims(
        issuer=_text(payload, "iss"),
        service=_text(payload, "aud"),
        account_id=_text(payload, "sub"),
        grant_id=_text(payload, "gid"),
        family=_number(payload, "fam"),
        generation=_number(payload, "gen"),
        issued_at=_number(payload, "iat"),
        expires_at=_number(payload, "exp"),
    )


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise errors.TokenRefused(f"claim {name!r} is missing or not a string")
    return value


def _number(payload: Mapping[str, object], name: str) -> int:
    value = payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise errors.TokenRefused(f"claim {name!r} is missing or not a number")
    return value
