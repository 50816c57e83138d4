"""Numbers and times in words, for people who run the service."""

from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """Return such as `1 time` or `14 times`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def spelt(seconds: int) -> str:
    """Return a duration such as `45 s`, `4 min` or `4 min 10 s`."""
    minutes, rest = divmod(max(0, seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def after(at: int, since: int) -> str:
    """Return a moment as told from a beginning, such as `+1 min 5 s`."""
    return f"+{spelt(at - since)}"


def moment(at: int) -> str:
    """Return a moment in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
