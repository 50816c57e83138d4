"""What the service's own back end may ask for: links that Sonos did not begin, and the hash that Sonos matches accounts by.

Sources: docs.sonos.com, "Account matching"; answers that are no success are problems as in RFC 9457.
"""

import msgspec
import structlog
from aiohttp import web

from gateway.api.answering import Refused, body_of
from gateway.api.bearers import permit, services_of_key
from gateway.api.document import HashOrder, LinkOrder, NewLink, UserHash
from gateway.context import GatewayContext
from gateway.operations.linking import new_code
from shared.boxes import Vouched, vouched_identity
from shared.domain.account import VOUCHED, Account, user_id_hash_code
from shared.domain.link import LinkState
from shared.messages import AccountKnown, AccountVouched, LinkChanged, LinkRequested, LinkVouched
from shared.sealing import seal

RESULT_SECONDS = 3.0
"""How long a request is held for what the workers make of it."""

log = structlog.get_logger(__name__)


class BackEndApi:
    """The operations of `/api/openapi.json`."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def create_link(self, request: web.Request) -> NewLink:
        """Issue a link code outside getAppLink; with a subject, for an account that is signed in already."""
        authorised = services_of_key(request, self._context.settings)
        order = await body_of(request, LinkOrder)
        permit(authorised, order.service)
        new = new_code(order.service, self._context)
        link_id = new.verified.link_id
        event = self._link_event(order, link_id)
        linked = False
        with self._context.results.expect(LinkChanged, link_id) as expected:
            await self._context.bus.publish([event])
            if isinstance(event, LinkVouched):
                linked = _is_linked(await expected.wait(RESULT_SECONDS))
        log.info("link created by back end", correlation_id=event.correlation_id, vouched=linked)
        return NewLink(
            link_code=new.code,
            link_device_id=new.verified.link_device_id,
            expires_in=self._context.settings.link.lifetime,
            reg_url=None if order.subject else new.page,
            linked=linked,
        )

    async def hash_user(self, request: web.Request) -> UserHash:
        """Return an account's userIdHashCode; one that the back end vouches for is made if there is none."""
        authorised = services_of_key(request, self._context.settings)
        order = await body_of(request, HashOrder)
        permit(authorised, order.service)
        account = await self._account(order)
        if account is None and order.provider == VOUCHED:
            account = await self._vouched_account(order)
            if account is None:
                raise Refused(503, "The account could not be made in time. Nothing is lost: ask again.")
        if account is None:
            raise Refused(404, "No such account has ever signed in.")
        return UserHash(user_id_hash_code=user_id_hash_code(account.account_id))

    async def _vouched_account(self, order: HashOrder) -> Account | None:
        request_id = self._context.new_id()
        event = AccountVouched(
            service=order.service,
            gateway=self._context.gateway_id,
            correlation_id=self._context.new_id(),
            request_id=request_id,
            vouched=self._sealed(Vouched(subject=order.subject), request_id),
        )
        with self._context.results.expect(AccountKnown, request_id) as expected:
            await self._context.bus.publish([event])
            await expected.wait(RESULT_SECONDS)
        return await self._account(order)

    async def _account(self, order: HashOrder) -> Account | None:
        return await self._context.store.account_of(
            service=order.service, provider=order.provider, subject=order.subject
        )

    def _link_event(self, order: LinkOrder, link_id: str) -> LinkRequested | LinkVouched:
        gateway, lifetime = self._context.gateway_id, self._context.settings.link.lifetime
        correlation_id = self._context.new_id()
        if order.subject is None:
            return LinkRequested(
                service=order.service,
                gateway=gateway,
                correlation_id=correlation_id,
                link_id=link_id,
                lifetime=lifetime,
                household_id=order.household_id,
                callback_path=order.callback_path,
            )
        return LinkVouched(
            service=order.service,
            gateway=gateway,
            correlation_id=correlation_id,
            link_id=link_id,
            lifetime=lifetime,
            household_id=order.household_id,
            callback_path=order.callback_path,
            vouched=self._sealed(Vouched(subject=order.subject, nickname=order.nickname), link_id),
        )

    def _sealed(self, vouched: Vouched, request_id: str) -> bytes:
        # The names of people are no secrets, but neither are they for the broker's disk.
        return seal(
            msgspec.json.encode(vouched),
            recipient=self._context.public_keys.auth_worker_box[0].public,
            bound_to=vouched_identity(request_id),
        )


def _is_linked(event: object) -> bool:
    if isinstance(event, LinkChanged) and event.state is LinkState.FAILED:
        raise Refused(409, "The account is disabled.")
    return isinstance(event, LinkChanged) and event.state is LinkState.LINKED
