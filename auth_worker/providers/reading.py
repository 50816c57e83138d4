"""What goes to a server that takes passwords, and what is read from its answer: each within bounds."""

from typing import Any, NoReturn

from auth_worker.providers.web import Answer, ProviderUnavailable
from shared.boxes import LoginEvidence
from shared.domain.errors import SignInRefused

LONGEST_NAME = 128
LONGEST_PASSWORD = 1024
LONGEST_SUBJECT = 255


def typed(evidence: LoginEvidence) -> tuple[str, str]:
    """Return name and password as a server is asked about them: the name without the spaces that phones put around it.

    Raises:
        SignInRefused: one of them is missing or too long. Nobody is asked then: some servers take an empty password for any.
    """
    name, password = evidence.name.strip(), evidence.password
    if not 0 < len(name) <= LONGEST_NAME or not 0 < len(password) <= LONGEST_PASSWORD:
        raise SignInRefused
    return name, password


def part(content: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object under a key; an empty one if there is none."""
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def text(content: dict[str, Any], key: str, answer: Answer, *, most: int = LONGEST_SUBJECT) -> str:
    """Return the text under a key.

    Raises:
        ProviderUnavailable: there is none, it is too long, or it has characters in it that nobody can read.
    """
    found = content.get(key)
    if not isinstance(found, str) or not 0 < len(found.strip()) <= most or not found.isprintable():
        raise ProviderUnavailable(
            f"{answer.address} answered without a usable {key!r}; is it the kind of server that `type` says?"
        )
    return found.strip()


def shown(content: dict[str, Any], key: str, default: str) -> str:
    """Return the text under a key as far as people can read it, or *default* if that is nothing."""
    found = content.get(key)
    readable = "".join(filter(str.isprintable, found)).strip() if isinstance(found, str) else ""
    return readable[:LONGEST_SUBJECT] or default


def be_unavailable(answer: Answer, hint: str) -> NoReturn:
    """Say that an answer is of no use, with the way out.

    Raises:
        ProviderUnavailable: always.
    """
    raise ProviderUnavailable(f"{answer.address} answered {answer.status}; {_known(answer) or hint}")


def _known(answer: Answer) -> str:
    if answer.challenged or answer.status == 407:
        return "a proxy in front of it asks for a sign-in of its own; let auth_worker's requests through it"
    if answer.status == 429:
        return "it takes no more sign-ins from this machine for a while; raise its limit, all sign-ins come from here"
    if answer.status in {502, 503, 504}:
        return "the server behind it is down or starting"
    return ""
