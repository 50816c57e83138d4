"""Every check, in the order in which they run: what costs little and harms nothing first, what ends things last."""

from deploy.check import (
    account_checks,
    dialect_checks,
    http_checks,
    legacy_checks,
    link_checks,
    load_checks,
    poll_checks,
    refresh_checks,
    tls_checks,
    token_checks,
    use_checks,
    xml_checks,
)
from deploy.check.checks import Check

CHECKS: tuple[Check, ...] = (
    *tls_checks.CHECKS,
    *link_checks.CHECKS,
    *poll_checks.CHECKS,
    *dialect_checks.CHECKS,
    *token_checks.CHECKS,
    *use_checks.CHECKS,
    *refresh_checks.CHECKS,
    *legacy_checks.CHECKS,
    *xml_checks.CHECKS,
    *account_checks.RELINK_CHECKS,
    *account_checks.REVOKE_CHECKS,
    *poll_checks.SLOW_CHECKS,
    *load_checks.CHECKS,
    # Over everything that was answered before.
    *http_checks.CHECKS,
)

GROUPS: dict[str, str] = {
    "tls": "The way there",
    "link": "Beginning and completing a link",
    "poll": "Polls",
    "dialect": "Every known way of writing a request",
    "token": "The pair that a household gets",
    "user": "Who it is",
    "use": "Calls with a token",
    "refresh": "A new token for an old one",
    "session": "Session ids",
    "stateless": "A name and a password in every header",
    "anonymous": "Services without accounts",
    "legacy": "Calls of the past",
    "xml": "What nobody honest sends",
    "relink": "Authorizing the account again",
    "revoke": "Revocation",
    "load": "Many at once",
    "http": "HTTP",
    "fault": "Faults",
}
"""What the first part of an id stands for."""


def selected(only: tuple[str, ...], skip: tuple[str, ...]) -> tuple[Check, ...]:
    """Return the checks whose id or group is named, without those that are to be skipped.

    Raises:
        ValueError: nothing has that name.
    """
    known = {check.about.check_id for check in CHECKS} | set(GROUPS)
    unknown = [name for name in (*only, *skip) if name not in known]
    if unknown:
        raise ValueError(f"no check and no group {unknown[0]!r}; `latchkey check --list` shows all")
    return tuple(
        check for check in CHECKS if (not only or _is_named(check, only)) and not _is_named(check, skip)
    )


def _is_named(check: Check, names: tuple[str, ...]) -> bool:
    return check.about.check_id in names or check.about.group in names
