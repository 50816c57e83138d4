"""The fields of Sonos's forms, filled in from the settings: the checklist for its Developer Portal, and a player's form."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.sonos.versions import Version
from shared.settings import Auth, ServiceSettings, Settings

AUTH_TYPES: dict[Auth, tuple[str, str]] = {
    "link": ("OAuth", "AppLink"),
    "session_id": ("Session ID", "UserId"),
    "stateless": ("", ""),
    "anonymous": ("Anonymous", "Anonymous"),
}
"""How households prove who they are -> what the portal's form calls it, and what a player's form does; neither has a word for `stateless`."""
FIRST_SID, LAST_SID, OTHER_SID = 240, 253, 255
"""The service ids that a player's form takes."""
_YOURS = "*yours to fill in*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A service as Sonos gets to know it."""

    title: str
    endpoint: str
    auth: Auth
    poll_interval: int
    has_content: bool
    strings_url: str
    strings_version: int
    map_url: str
    map_version: int
    manifest_url: str

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Return what Latchkey itself has a use for, in the words of a player's form; the catalogue adds its own."""
        return ("logging", *(("extendedMD",) if self.has_content else ()))


def registration(settings: Settings, name: str, *, url: str, versions: Mapping[str, Version]) -> Registration:
    """Return what there is to say of a service whose exported folder is served at *url*."""
    service = settings.services[name]
    return Registration(
        title=service.title,
        endpoint=settings.endpoint(name),
        auth=service.auth,
        poll_interval=service.poll_interval,
        has_content=service.content is not None,
        strings_url=f"{url}/strings.xml",
        strings_version=versions["strings"].version,
        map_url=f"{url}/presentationmap.xml",
        map_version=versions["presentationMap"].version,
        manifest_url=f"{url}/manifest.json",
    )


def checklist(about: Registration, service: ServiceSettings) -> str:
    """Return the checklist: section, field and value, in the order of the portal's form."""
    lines = [
        f"# {about.title} in the Sonos Developer Portal",
        "",
        "Made by `latchkey sonos export`. Save each section of the form; then Service Configuration, Refresh, Send: it takes up to ten minutes.",
        "",
        "| done | section | field | value |",
        "|---|---|---|---|",
        *(f"| [ ] | {section} | {field} | {value} |" for section, field, value in _fields(about, service)),
        "",
        *_warnings(about),
    ]
    return "\n".join(lines).rstrip() + "\n"


def form(
    about: Registration, *, sid: int, auth_type: str, capabilities: tuple[str, ...]
) -> dict[str, object]:
    """Return the fields of a player's `customsd` form, apart from its token."""
    return {
        "sid": str(sid),
        "name": about.title,
        "uri": about.endpoint,
        "secureUri": about.endpoint,
        "pollInterval": str(about.poll_interval),
        "authType": auth_type,
        "stringsVersion": str(about.strings_version),
        "stringsUri": about.strings_url,
        "presentationMapVersion": str(about.map_version),
        "presentationMapUri": about.map_url,
        "containerType": "MService",
        "caps": list(capabilities),
    }


def _fields(about: Registration, service: ServiceSettings) -> list[tuple[str, str, str]]:
    method = AUTH_TYPES[about.auth][0] or "none fits `stateless`: ask Sonos"
    sign_up = (
        "the page where people sign up: Sonos opens it where your app cannot be"
        if service.create_account
        else "empty"
    )
    return [
        ("General Information", "Service name", about.title.replace("|", "\\|")),
        ("General Information", "Availability, agreement, home page", _YOURS),
        (
            "Sonos Music API",
            "Integration ID",
            f"{_YOURS}: it stands in `callbackPath`, which Latchkey hands back untouched",
        ),
        ("Sonos Music API", "Configuration Label", _YOURS),
        ("Sonos Music API", "SMAPI Endpoint", f"`{about.endpoint}`"),
        ("Sonos Music API", "SMAPI Endpoint Version", "1.1"),
        ("Sonos Music API", "Authentication Method", method),
        ("Sonos Music API", "Redirect", sign_up),
        ("Sonos Music API", "Auth Token Time To Life", "empty: Latchkey renews tokens by itself"),
        ("Sonos Music API", "Polling Interval", f"{about.poll_interval} seconds"),
        ("Sonos Music API", "Reporting Endpoint", "empty, unless your content server has one"),
        ("Capabilities", "Account Logging", "on: Sonos then tells when an account was added"),
        ("Capabilities", "Supports user info", "on" if about.auth != "anonymous" else "off"),
        (
            "Capabilities",
            "Extended Metadata, Search, Favorites and the like",
            "as your content server has them",
        ),
        ("Brand Assets", "Three logos", f"{_YOURS}: an SVG that is too large fails without a word"),
        ("Localization Resources", "File", f"`strings.json`, version {about.strings_version}"),
        (
            "Localization Resources",
            "Older forms: strings.xml",
            f"`{about.strings_url}`, version {about.strings_version}",
        ),
        ("Presentation map", "File or URL", f"`{about.map_url}`, version {about.map_version}"),
        ("Manifest", "URL", f"`{about.manifest_url}`"),
        ("Service Deployment Settings", "Sonos ID", f"{_YOURS}: the account whose systems see the sandbox"),
    ]


def _warnings(about: Registration) -> list[str]:
    """Return what cannot work as it is."""
    if about.endpoint.startswith("https://"):
        return []
    return ["Sonos takes no endpoint without https: set `public_url`, and run this again."]
