"""What the gateway's operations and pages are given."""

from dataclasses import dataclass, field
from functools import cached_property

from gateway.call_log import CallLog
from gateway.content import ContentServers
from gateway.flights import SingleFlight
from gateway.identity import Voucher
from gateway.live_codes import LiveCodes
from gateway.logins import Logins
from gateway.results import Results
from gateway.sightings import Sightings
from gateway.smapi.shapes import Shapes
from gateway.tally import Tally
from shared.context import Context, Numbering
from shared.keys import GatewayKeys
from shared.storage.base import ReadStore
from shared.tokens import TokenVerifier


@dataclass(frozen=True, kw_only=True)
class GatewayContext(Context[ReadStore, GatewayKeys]):
    """The context of one gateway process."""

    gateway_id: str
    """Where results come back to; new with each start."""
    results: Results
    refreshes: SingleFlight
    sightings: Sightings
    logins: Logins
    verifier: TokenVerifier
    voucher: Voucher
    content_servers: ContentServers
    live_codes: LiveCodes = field(default_factory=LiveCodes)
    shapes: Shapes = field(default_factory=Shapes)
    call_log: CallLog = field(default_factory=CallLog)
    tally: Tally = field(default_factory=Tally)

    def correlation_id(self) -> str:
        """Return what a request is called in all logs."""
        return self._numbering.name()

    @cached_property
    def _numbering(self) -> Numbering:
        return Numbering(self.random)

    @cached_property
    def cookie_keys(self) -> tuple[bytes, ...]:
        """Return the MAC keys of forms, browsers, networks and tries, the one in use first."""
        return tuple(key.secret for key in self.keys.cookie)

    @cached_property
    def link_code_keys(self) -> tuple[bytes, ...]:
        """Return the MAC keys of link codes, the one in use first."""
        return tuple(key.secret for key in self.keys.link_code)
