"""What the address of a server that is asked for identities must be: a table of what is wrong, and the way out."""

import re
from urllib.parse import urlsplit

from shared.settings.addresses import is_loopback, is_private
from shared.settings.providers import ProviderSection, ServerSection, SubsonicProviderSettings

_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?"
)
"""No user or password before the host, no query and no fragment behind the path."""


def address_checks(name: str, provider: ProviderSection) -> list[tuple[bool, str]]:
    """Return a row for each rule about a provider's address: whether it is broken, and what to tell."""
    if not isinstance(provider, ServerSection):
        return []
    url = provider.url
    if not _ADDRESS.fullmatch(url):
        form = "write it like https://music.example.com, without user, password, question mark and #"
        return [(True, f"providers.{name}.url: not the address of a server; {form}")]
    surprise = next((end for end in provider.surprises if url.rstrip("/").endswith(end.rstrip("/"))), "")
    host = urlsplit(url).hostname or ""
    plain = url.startswith("http://") and not provider.allow_plain_http
    return [
        (
            bool(surprise),
            f"providers.{name}.url: ends in {surprise}, which is not part of the server's address; leave it out",
        ),
        (not surprise and url.endswith("/"), f"providers.{name}.url: ends in a slash; leave it out"),
        (
            plain and not is_private(host),
            f"providers.{name}.url: passwords would cross the internet readable; write https://, or set allow_plain_http and read what it risks",
        ),
        (
            isinstance(provider, SubsonicProviderSettings)
            and provider.allow_password
            and plain
            and is_private(host)
            and not is_loopback(host),
            f"providers.{name}.allow_password: the password itself would cross the network readable; write https://, or set allow_plain_http and read what it risks",
        ),
    ]
