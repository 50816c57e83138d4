"""What the service's own back end may ask for: links that Sonos did not begin, and the hash that Sonos matches accounts by.

Sources: docs.sonos.com, "Account matching"; answers that are no success are problems as in RFC 9457.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web

from gateway.api_document import HashOrder, LinkOrder, NewLink, Problem, UserHash, document
from gateway.context import GatewayContext
from gateway.operations.linking import new_code
from gateway.results import account_key, link_key
from shared.bus.base import BusUnavailable
from shared.domain.account import VOUCHED, Account, user_id_hash_code
from shared.domain.link import LinkState
from shared.messages import (
    AccountVouched,
    LinkChanged,
    LinkRequested,
    LinkVouched,
    Vouched,
    vouched_identity,
)
from shared.sealing import seal
from shared.storage.base import StoreUnavailable

RESULT_SECONDS = 3.0
"""How long a request is held for what the workers make of it."""
BODY_SECONDS = 10
RETRY_AFTER = 5

log = structlog.get_logger(__name__)

OrderT = TypeVar("OrderT", bound=msgspec.Struct)
Handler = Callable[[web.Request], Awaitable[msgspec.Struct]]


class Refused(Exception):
    """The request is answered with a problem; *detail* says the way out."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


def add_to(app: web.Application, context: GatewayContext) -> None:
    """Add the API, where the settings give anybody a key to it."""
    if not context.settings.api_keys:
        return
    api = BackEndApi(context)
    content = document(context.settings.public_url)

    async def describe(_: web.Request) -> web.StreamResponse:
        return web.json_response(body=content)

    app.add_routes(
        [
            web.post("/api/links", _answering(api.create_link, 201)),
            web.post("/api/users/hash", _answering(api.hash_user, 200)),
            web.get("/api/openapi.json", describe),
        ]
    )


class BackEndApi:
    """The operations of `/api/openapi.json`."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def create_link(self, request: web.Request) -> NewLink:
        """Issue a link code outside getAppLink; with a subject, for an account that is signed in already."""
        authorised = self._authorise(request)
        order = await _body(request, LinkOrder)
        self._permit(authorised, order.service)
        new = new_code(order.service, self._context)
        link_id = new.verified.link_id
        event = self._link_event(order, link_id)
        linked = False
        with self._context.results.expect(link_key(link_id)) as expected:
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
        authorised = self._authorise(request)
        order = await _body(request, HashOrder)
        self._permit(authorised, order.service)
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
        with self._context.results.expect(account_key(request_id)) as expected:
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

    def _authorise(self, request: web.Request) -> frozenset[str]:
        """Return the services that the request's key may ask for."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        services: frozenset[str] | None = None
        for known in self._context.settings.api_keys.values():
            if hmac.compare_digest(digest, known.secret_sha256):
                services = frozenset(known.services)
        if scheme.lower() != "bearer" or services is None:
            raise Refused(401, "Send a key that the settings know, as `Authorization: Bearer KEY`.")
        return services

    def _permit(self, authorised: frozenset[str], service: str) -> None:
        # One answer for a service of somebody else and for one that does not exist.
        if service not in authorised:
            raise Refused(403, "This key is not for that service.")


def _is_linked(event: object) -> bool:
    if isinstance(event, LinkChanged) and event.state is LinkState.FAILED:
        raise Refused(409, "The account is disabled.")
    return isinstance(event, LinkChanged) and event.state is LinkState.LINKED


async def _body(request: web.Request, kind: type[OrderT]) -> OrderT:
    async with asyncio.timeout(BODY_SECONDS):
        body = await request.read()
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(400, f"The body is not as /api/openapi.json says: {error}") from None


def _answering(handle: Handler, status: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler that turns a result into JSON, and whatever keeps it from one into a problem."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            result = await handle(request)
        except Refused as refused:
            return _problem(refused.status, refused.detail)
        except (BusUnavailable, StoreUnavailable):
            return _problem(503, "Something on our side is not answering. Nothing is lost: ask again.")
        except TimeoutError:
            return _problem(408, "The request took too long.")
        except web.HTTPException as error:
            return _problem(error.status, error.reason)
        return web.Response(
            status=status,
            body=msgspec.json.encode(result),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    return answer


def _problem(status: int, detail: str) -> web.Response:
    title = web.Response(status=status).reason
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    return web.Response(
        status=status,
        body=msgspec.json.encode(Problem(title=title, status=status, detail=detail)),
        content_type="application/problem+json",
        headers=headers,
    )
