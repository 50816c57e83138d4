"""Every setting: one object, read once, all problems reported at once, unknown names refused.

Sources, strongest first: arguments of the command, the environment (`LATCHKEY_PUBLIC_URL`, nested with two underscores:
`LATCHKEY_TOKENS__LIFETIME`), then the TOML file that `LATCHKEY_CONFIG` names.
"""

from shared.settings.brand import BrandSettings
from shared.settings.checks import split_address
from shared.settings.loading import SettingsError, load
from shared.settings.model import Settings
from shared.settings.providers import (
    LOCAL,
    PROVIDER_TYPES,
    AudiobookshelfProviderSettings,
    HttpProviderSettings,
    JellyfinProviderSettings,
    LocalProviderSettings,
    ProviderSection,
    ProviderSettings,
    SubsonicProviderSettings,
)
from shared.settings.sections import (
    LONGEST_ISSUER,
    PREFIX,
    ApiClientSettings,
    ApiRole,
    Auth,
    ContentSettings,
    ServiceSettings,
)

__all__ = [
    "LOCAL",
    "LONGEST_ISSUER",
    "PREFIX",
    "PROVIDER_TYPES",
    "ApiClientSettings",
    "ApiRole",
    "AudiobookshelfProviderSettings",
    "Auth",
    "BrandSettings",
    "ContentSettings",
    "HttpProviderSettings",
    "JellyfinProviderSettings",
    "LocalProviderSettings",
    "ProviderSection",
    "ProviderSettings",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "SubsonicProviderSettings",
    "load",
    "split_address",
]
