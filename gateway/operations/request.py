"""What an operation is given besides the context, and what it may return."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.context import GatewayContext
from gateway.smapi.credentials import Credentials
from gateway.smapi.envelope import Call
from gateway.smapi.results import Result
from shared.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One SMAPI call to one of our services."""

    call: Call
    service: str
    """Name of the service whose endpoint was called."""
    settings: ServiceSettings
    """That service's settings."""
    correlation_id: str
    network: Callable[[], str | None] = lambda: None
    """Tells the keyed hash of the caller's address prefix, if that tells anything."""

    @property
    def credentials(self) -> Credentials:
        """Return the credentials that came with the call."""
        return self.call.credentials

    def argument(self, name: str, *, longest: int = 255) -> str:
        """Return an argument, empty if it did not come; what exceeds *longest* characters is cut off."""
        return self.call.arguments.get(name, "")[:longest]


Operation = Callable[[Request, GatewayContext], Awaitable[Result]]
