"""What the settings of how accounts live on must be: a table of what is wrong, and the way out."""

from collections.abc import Iterator

from shared.settings.model import Settings
from shared.settings.providers import ProviderSection, RedirectSection

_ASKED_BY_NAME: frozenset[str] = frozenset({"http"})
"""Types of providers that can be asked about a person without anything that the person has given."""


def lifecycle_checks(settings: Settings) -> Iterator[tuple[bool, str]]:
    """Yield a row for each rule: whether it is broken, and what to tell."""
    known = ", ".join(settings.providers)
    for name in settings.recheck:
        provider = settings.providers.get(name)
        yield provider is None, f"recheck.{name}: there is no such provider; there is {known}"
        yield (
            isinstance(provider, RedirectSection) and not provider.keep_tokens,
            f"recheck.{name}: there is nothing to ask with; set providers.{name}.keep_tokens = true as well",
        )
        yield (
            provider is not None
            and not isinstance(provider, RedirectSection)
            and not _is_asked_by_name(provider),
            f"recheck.{name}: such a provider cannot be asked later, for passwords are not kept; remove it",
        )
    for name in settings.account_events.backchannel_logout:
        yield (
            name not in settings.providers or _type(settings.providers[name]) != "oidc",
            f"account_events.backchannel_logout: {name!r} is no provider of the type `oidc`; remove it",
        )


def _is_asked_by_name(provider: ProviderSection) -> bool:
    return _type(provider) in _ASKED_BY_NAME


def _type(provider: ProviderSection) -> str:
    return str(getattr(provider, "type", ""))
