"""Which grants are meant when grants are listed or revoked."""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.grant import Grant


class Scope(StrEnum):
    """What a selection goes by."""

    GRANT = "grant"
    ACCOUNT = "account"
    HOUSEHOLD = "household"
    ALL = "all"
    """Every grant of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Grants of one service."""

    service: str
    scope: Scope
    value: str = ""
    """The id of the grant or account, or the household exactly as it was linked; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What keeps a revocation that arrives late from ending a link that was made since."""

    family: int | None = None
    """The last family that is meant; None: any."""
    started_by: int | None = None
    """Families that began later, in seconds since the epoch by the database's clock, are not meant; None: any."""


def is_meant(grant: Grant, limits: Limits) -> bool:
    """Tell whether the present family of a selected grant is to be ended."""
    later_family = limits.family is not None and grant.family > limits.family
    began_later = limits.started_by is not None and grant.family_started_at > limits.started_by
    return not later_family and not began_later
