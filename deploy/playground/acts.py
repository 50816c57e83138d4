"""What each button does: as Sonos, as the service's operator, or as time and bad luck."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import aiohttp

from deploy.playground.lanes import Lane, Step
from deploy.playground.play import Play
from deploy.playground.sonos import Exchange
from deploy.playground.story import Scene
from deploy.playground.words import AWAY, BEGUN, FAULTS, HARMLESS
from gateway.context import GatewayContext
from gateway.operations import revocation
from shared.bus.base import BusUnavailable
from shared.domain.errors import TokenRefused, TryAgainLater
from shared.storage.base import Conflict, StoreUnavailable, TokenStore
from token_worker.minting import Mint

PAST = 120
"""Seconds by which a token is over then: more than the minute of grace that a gateway gives."""
_TRIES = 5


class Broker:
    """Whether the broker is broken, for everybody in this process."""

    def __init__(self) -> None:
        self.is_broken = False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the acts work with."""

    context: GatewayContext
    store: TokenStore
    mint: Mint
    service: str
    broker: Broker


Act = Callable[[Play, Scene, Stage], Awaitable[None]]


async def perform(name: str, play: Play, stage: Stage) -> None:
    """Do what a button says, in a scene of its own; polls that say "not yet" again share one."""
    async with play.lock:
        latest = play.story.latest
        title, told = BEGUN[name]
        if name == "poll" and latest and latest.title == title and play.pending:
            scene = latest
            scene.again()
        else:
            scene = play.story.begin(title, told)
        play.act(scene)
        play.performed.add(name)
        try:
            await ACTS[name](play, scene, stage)
        except (aiohttp.ClientError, TimeoutError):
            scene.tell("The gateway did not answer in time.", outcome="no answer", is_bad=True)
        except (BusUnavailable, TryAgainLater):
            scene.tell(AWAY, outcome="not now", is_bad=True)
        except (StoreUnavailable, Conflict):
            scene.tell("The database was busy. Press the button again.", outcome="not now", is_bad=True)
        finally:
            play.act(None)


async def _add(play: Play, scene: Scene, _: Stage) -> None:
    exchange = await _call(
        play,
        scene,
        "getAppLink",
        {
            "householdId": play.sonos.household,
            "hardware": "Playground",
            "osVersion": "1",
            "sonosAppName": "Playground",
            "callbackPath": "",
        },
    )
    if play.wait_for(exchange):
        scene.tell(scene.told, outcome="link code")
    else:
        _tell_fault(scene, exchange)


async def _poll(play: Play, scene: Scene, stage: Stage) -> None:
    if play.pending is None:
        return
    arguments = {
        "householdId": play.sonos.household,
        "linkCode": play.pending.code,
        "linkDeviceId": play.pending.device_id,
    }
    exchange = await _call(play, scene, "getDeviceAuthToken", arguments)
    if _take(play, exchange, stage):
        play.pending = None
        scene.tell(
            "Linked: one read found the pair, and the gateway opened it. From now on every call carries the token.",
            outcome="linked",
        )
    else:
        if exchange.fault == "Client.NOT_LINKED_FAILURE":
            play.pending = None
        _tell_fault(scene, exchange)


async def _browse(play: Play, scene: Scene, stage: Stage) -> None:
    exchange = await _call_with_pair(play, scene, "getMetadata")
    if exchange.fault == "Client.TokenRefreshRequired" and _take(play, exchange, stage):
        exchange = await _call_with_pair(play, scene, "getMetadata")
        if not exchange.fault:
            scene.tell(FAULTS["Client.TokenRefreshRequired"], outcome="refreshed, and answered")
            return
    if exchange.fault:
        _ended(play, scene, exchange)
    else:
        scene.tell(
            "The token holds: its signature was checked without asking anybody, and one read showed that the grant has "
            "not ended. It waited for no worker, so this works without the broker, too.",
            outcome="answered",
        )


async def _refresh(play: Play, scene: Scene, stage: Stage) -> None:
    exchange = await _call_with_pair(play, scene, "refreshAuthToken")
    if _take(play, exchange, stage):
        scene.tell(
            "token_worker counted the grant one generation up, if nobody had before, and sealed the pair for the gateway. "
            "Whoever asks with the same token gets the same successor.",
            outcome="refreshed",
        )
    else:
        _ended(play, scene, exchange)


async def _expire(play: Play, scene: Scene, stage: Stage) -> None:
    if play.claims is None or play.pair is None:
        return
    for attempt in range(_TRIES):
        try:
            seconds, token = await _aged(play.claims.grant_id, stage)
            break
        except Conflict:
            if attempt == _TRIES - 1:
                raise
    _note(scene, Lane.DATABASE, f"the playground moves the grant {_duration(seconds)} back in time")
    await play.show_rows(Lane.DATABASE)
    claims = stage.context.verifier.verify(token, service=stage.service)
    play.take(replace(play.pair, token=token), claims)
    play.is_stale = True
    scene.tell(
        f"Nobody waits for an hour: the playground itself moved the times of this grant's row back by {_duration(seconds)}, "
        "and had the token made again from the row, with the times that it would have had. Sonos knows nothing of it yet.",
        outcome="expired",
    )


async def _aged(grant_id: str, stage: Stage) -> tuple[int, str]:
    """Move a grant back in time until its token is over; return by how many seconds, and the token as it would have been."""
    async with stage.store.transaction() as transaction:
        grant = await transaction.grant(grant_id)
        account = await transaction.account(grant.account_id) if grant else None
        if grant is None or account is None:
            raise TryAgainLater("the grant is gone")
        back = max(0, grant.expires_at - transaction.now) + PAST
        aged = replace(
            grant,
            issued_at=grant.issued_at - back,
            expires_at=grant.expires_at - back,
            family_started_at=grant.family_started_at - back,
            used_at=grant.used_at - back,
            version=grant.version + 1,
        )
        await transaction.swap_grant(grant, aged)
    return back, stage.mint.pair(aged, account).auth_token


async def _revoke(play: Play, scene: Scene, stage: Stage) -> None:
    if play.claims is None:
        return
    await revocation.revoke(
        play.claims, reason="playground", correlation_id=stage.context.new_id(), context=stage.context
    )
    play.is_revoked = True
    scene.tell(
        "As /oauth/revoke and the command “latchkey grants revoke” do it: token_worker ends the family in its row, and tells every "
        "gateway. Sonos is not told; press Browse, and it learns with its next call.",
        outcome="ended",
    )


async def _break(play: Play, scene: Scene, stage: Stage) -> None:
    stage.broker.is_broken = True
    play.performed.discard("refresh")
    _note(scene, Lane.BUS, "confirms nothing any more")
    scene.tell(
        "From now on no event is confirmed, in this whole process. Browse still works, since a good token waits for no worker. "
        "Try to add or refresh: Sonos hears ServiceUnavailable, and nothing is lost.",
        outcome="broken",
        is_bad=True,
    )


async def _mend(_: Play, scene: Scene, stage: Stage) -> None:
    stage.broker.is_broken = False
    _note(scene, Lane.BUS, "confirms again")
    scene.tell(
        "Events are confirmed again. Whatever was refused works when it is asked for again.", outcome="mended"
    )


ACTS: dict[str, Act] = {
    "add": _add,
    "poll": _poll,
    "browse": _browse,
    "expire": _expire,
    "refresh": _refresh,
    "revoke": _revoke,
    "reauthorize": _add,
    "break": _break,
    "mend": _mend,
}


async def _call_with_pair(play: Play, scene: Scene, method: str) -> Exchange:
    arguments = {"id": "root", "index": "0", "count": "100"} if method == "getMetadata" else {}
    return await _call(play, scene, method, arguments, with_pair=True)


async def _call(
    play: Play, scene: Scene, method: str, arguments: dict[str, str], *, with_pair: bool = False
) -> Exchange:
    pair = play.pair if with_pair else None
    play.show_request(scene, method, play.sonos.envelope(method, arguments, pair))
    exchange = await play.sonos.call(method, arguments, pair)
    if exchange.pair:
        play.hide(exchange.pair.token, exchange.pair.key)
    play.hide(exchange["linkCode"], exchange["linkDeviceId"])
    play.show_call(scene, exchange)
    return exchange


def _take(play: Play, exchange: Exchange, stage: Stage) -> bool:
    if exchange.pair is None:
        return False
    try:
        claims = stage.context.verifier.verify(exchange.pair.token, service=stage.service)
    except TokenRefused:
        return False
    play.take(exchange.pair, claims)
    return True


def _ended(play: Play, scene: Scene, exchange: Exchange) -> None:
    if exchange.fault == "Client.AuthTokenExpired":
        play.has_ended, play.is_revoked, play.is_stale = True, False, False
    _tell_fault(scene, exchange)


def _tell_fault(scene: Scene, exchange: Exchange) -> None:
    fault = exchange.fault or f"HTTP {exchange.status}"
    told = FAULTS.get(fault, "Not an answer that the playground has words for; open it below.")
    scene.tell(told, outcome=fault.rpartition(".")[2], is_bad=fault not in HARMLESS)


def _note(scene: Scene, lane: Lane, label: str) -> None:
    scene.add(Step(source=lane, target=lane, kind="note", label=label))


def _duration(seconds: int) -> str:
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
