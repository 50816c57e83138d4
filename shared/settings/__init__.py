"""Every setting: one object, read once, all problems reported at once, unknown names refused.

Sources, strongest first: arguments of the command, the environment (`LATCHKEY_PUBLIC_URL`, nested with two underscores:
`LATCHKEY_TOKENS__LIFETIME`), then the TOML file that `LATCHKEY_CONFIG` names.
"""

from shared.settings.addresses import is_loopback, is_safe_address
from shared.settings.apps import (
    ActionSettings,
    AppSettings,
    IntrospectionSettings,
    JwksSettings,
    UserinfoSettings,
)
from shared.settings.brand import BrandSettings
from shared.settings.checks import split_address, webhook_key
from shared.settings.lifecycle import AccountEventSettings, RecheckSettings
from shared.settings.loading import SettingsError, load
from shared.settings.model import DEFAULT_SERVICE, Settings
from shared.settings.providers import (
    LOCAL,
    PROVIDER_TYPES,
    AudiobookshelfProviderSettings,
    ClaimSettings,
    HttpProviderSettings,
    JellyfinProviderSettings,
    LocalProviderSettings,
    OAuth2ProviderSettings,
    OidcProviderSettings,
    ProviderSection,
    ProviderSettings,
    RedirectSection,
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
    WebhookSettings,
)

__all__ = [
    "DEFAULT_SERVICE",
    "LOCAL",
    "LONGEST_ISSUER",
    "PREFIX",
    "PROVIDER_TYPES",
    "AccountEventSettings",
    "ActionSettings",
    "ApiClientSettings",
    "ApiRole",
    "AppSettings",
    "AudiobookshelfProviderSettings",
    "Auth",
    "BrandSettings",
    "ClaimSettings",
    "ContentSettings",
    "HttpProviderSettings",
    "IntrospectionSettings",
    "JellyfinProviderSettings",
    "JwksSettings",
    "LocalProviderSettings",
    "OAuth2ProviderSettings",
    "OidcProviderSettings",
    "ProviderSection",
    "ProviderSettings",
    "RecheckSettings",
    "RedirectSection",
    "ServiceSettings",
    "Settings",
    "SettingsError",
    "SubsonicProviderSettings",
    "UserinfoSettings",
    "WebhookSettings",
    "is_loopback",
    "is_safe_address",
    "load",
    "split_address",
    "webhook_key",
]
