"""Words of SMAPI that several groups of checks look for."""

import re

RETRY, FAILURE = "Client.NOT_LINKED_RETRY", "Client.NOT_LINKED_FAILURE"
AUTH_FAULTS = ("Client.LoginUnauthorized", "Client.AuthTokenExpired")
"""What makes the app offer to authorize the account again."""
REFRESH_REQUIRED = "Client.TokenRefreshRequired"

_SENTINELS = {"alwaysReauthenticate", "alwaysAuthenticate", "nonsense"}
_LOOKS_LIKE_A_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|0x[0-9a-f]+|true|false|null", re.IGNORECASE
)


def like_a_number(text: str) -> bool:
    """Tell whether a careless reader of XML makes a number or a truth value of a text."""
    return _LOOKS_LIKE_A_NUMBER.fullmatch(text) is not None


def is_sentinel(key: str | None) -> bool:
    """Tell whether a privateKey says that there is none."""
    return key is None or key in _SENTINELS
