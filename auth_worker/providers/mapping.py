"""What a provider says of a person, in the words of this house: pure functions over its claims."""

from collections.abc import Mapping

from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from shared.domain.account import AccountTier
from shared.settings import ClaimSettings

LONGEST_SUBJECT = 255
"""Characters; OpenID Connect Core 2 allows no more."""
LONGEST_NICKNAME = 32

Claims = Mapping[str, object]


def identity_from(claims: Claims, settings: ClaimSettings, *, tokens: bytes | None = None) -> Identity:
    """Return the person whom claims are about.

    Raises:
        ProviderUnavailable: they do not say who it is, so that the settings do not fit the provider.
    """
    subject = _word(claim(claims, settings.subject))
    if not subject or len(subject) > LONGEST_SUBJECT:
        raise ProviderUnavailable(
            f"did not say who the person is: no {settings.subject!r} in {', '.join(sorted(claims))[:200] or 'its answer'}; "
            "correct claims.subject"
        )
    return Identity(
        subject=subject,
        nickname=_nickname(claims, settings) or subject[:LONGEST_NICKNAME],
        tier=_tier(claims, settings),
        tokens=tokens,
    )


def claim(claims: Claims, name: str) -> object:
    """Return a claim, or one inside an object where the name has dots; None if there is none."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _nickname(claims: Claims, settings: ClaimSettings) -> str:
    words = (_word(claim(claims, name)) for name in settings.nickname)
    shown = ("".join(filter(str.isprintable, word)).strip() for word in words)
    return next((word[:LONGEST_NICKNAME] for word in shown if word), "")


def _tier(claims: Claims, settings: ClaimSettings) -> AccountTier | None:
    found = claim(claims, settings.tier) if settings.tier else None
    words = {_word(each) for each in (found if isinstance(found, list) else [found])}
    return next((tier for word, tier in settings.tiers.items() if word in words), None)


def _word(value: object) -> str:
    """Return a claim as text; numbers are taken as they are written, truth values are none."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
