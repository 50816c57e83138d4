"""The shortest way of a SMAPI call: past all of aiohttp, beside `express` and the plain way through `app`.

Of a request's time in aiohttp most goes into tasks, timers and objects that an ordinary call has no use for. A call whose bytes came in
one piece, with a head that is plain (`heads`), is answered as it stands; whatever is not goes to aiohttp as it came, and
`connections` sees to it that nothing of a connection is read by one while the other has something of it in hand.
tests/e2e/test_express.py holds the three ways against each other.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from gateway.context import GatewayContext
from gateway.endpoint import Asked, answer
from gateway.express import Replies
from gateway.front_door import KEPT
from gateway.heads import Head
from gateway.oauth import TokenApi
from gateway.smapi.methods import NAMESPACE

Reply = Coroutine[Any, Any, bytes]
_Way = Callable[[Head, bytes, str | None], Reply | None]


class Nonstop:
    """Answers what it can; knows neither connections nor aiohttp."""

    def __init__(
        self,
        context: GatewayContext,
        api: TokenApi,
        *,
        replies: Replies,
        network: Callable[[str | None, Sequence[str]], str | None],
        endpoints: Mapping[str, str],
        verifications: Mapping[str, str],
        largest_body: int,
    ) -> None:
        """Take which paths go this way.

        Args:
            context: given to operations.
            api: answers `/verify`.
            replies: writes the answers.
            network: tells `network_id` of a peer's address and what stands in `X-Forwarded-For`.
            endpoints: path of a SMAPI endpoint -> its service.
            verifications: path of forward-auth -> the service it is for.
            largest_body: bytes; a larger body is refused by the plain way.
        """
        self._context = context
        self._api = api
        self._replies = replies
        self._network = network
        self._largest_body = largest_body
        self._ways: dict[bytes, _Way] = {
            **{_line("POST", path): partial(self._call, service) for path, service in endpoints.items()},
            **{_line("GET", path): partial(self._verify, service) for path, service in verifications.items()},
        }

    def reply(self, head: Head, data: bytes, peer: str | None) -> Reply | None:
        """Return what makes the answer to a whole request, or None if that is not for here.

        Args:
            head: of the request.
            data: all of it.
            peer: address of the other end of the connection.
        """
        way = self._ways.get(head.line)
        return way(head, data, peer) if way is not None and head.asks_for_an_answer_alone else None

    def _call(self, service: str, head: Head, data: bytes, peer: str | None) -> Reply | None:
        action = head.value(b"soapaction")
        # Answers of content servers may be long, and go in pieces.
        stays = action in _KEPT_ACTIONS or self._context.settings.services[service].content is None
        if not stays or head.length > self._largest_body:
            return None
        forwarded_for = head.value(b"x-forwarded-for")
        asked = Asked(
            service=service,
            body=data[head.body_at :],
            soap_action=action,
            authorization=head.value(b"authorization"),
            accept_language=head.value(b"accept-language") or "",
            network=partial(self._network, peer, () if forwarded_for is None else (forwarded_for,)),
        )
        return self._answered(asked)

    def _verify(self, service: str, head: Head, _data: bytes, _peer: str | None) -> Reply | None:
        authorization = head.value(b"authorization")
        return self._judged(service, () if authorization is None else (authorization,))

    async def _answered(self, asked: Asked) -> bytes:
        answered = await answer(asked, self._context)
        assert answered.rest is None  # since it was made here
        return self._replies.soap(answered)

    async def _judged(self, service: str, authorization: Sequence[str]) -> bytes:
        return self._replies.empty(*await self._api.judge(service, authorization))


_KEPT_ACTIONS = frozenset(f'"{NAMESPACE}#{method}"' for method in KEPT)


def _line(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1".encode()
