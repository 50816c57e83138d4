"""Each way in which a link can stop: played with the workers' handlers on both databases, and told as what it is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from auth_worker.context import AuthContext
from auth_worker.handlers import HANDLERS as AUTH
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from gateway.operator import lookup
from shared import keys
from shared.boxes import LoginEvidence, Vouched, evidence_identity, vouched_identity
from shared.bus.memory import MemoryBus
from shared.context import SystemClock, SystemRandom
from shared.domain import errors
from shared.domain.account import AccountStatus
from shared.domain.link import Device, Link, LinkState
from shared.domain.revocation import Scope
from shared.domain.sight import Sight, Sighting
from shared.domain.stops import STOPS, Story, story
from shared.domain.timeline import Happened, Trail, steps
from shared.messages import (
    Event,
    LinkApproved,
    LinkDeclineRequested,
    LinkLoginSubmitted,
    LinkObserved,
    LinkRequested,
    LinkVouched,
    Seen,
    TokenRefreshRequested,
    TokenRevokeRequested,
    TokenSeen,
)
from shared.sealing import seal
from shared.worker import Batched
from tests.store_samples import Stores
from token_worker.context import TokenContext
from token_worker.handlers import HANDLERS as TOKEN
from token_worker.minting import Mint

HOUSEHOLD = "Sonos_2ZLtEJUN38KttgBMoESCwBpBHD"
ANSWERS = {
    "wrong": errors.SignInRefused(),
    "away": ProviderUnavailable("it does not answer"),
    "tier": errors.AccountUnsupported(),
    "half": errors.SignInIncomplete(),
    "limit": errors.TooManyTries(30),
}


class Source:
    """An identity source where everybody has the password `right`, and some passwords have an answer of their own."""

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        if evidence.password in ANSWERS:
            raise ANSWERS[evidence.password]
        return Identity(subject=evidence.name, nickname=evidence.name)


@dataclass(kw_only=True)
class Play:
    """One link, and all who have to do with it."""

    stores: Stores
    auth: AuthContext
    token: TokenContext
    link_id: str = "link-1"
    tries: int = 0

    async def does(self, *events: Event) -> None:
        """Have the worker handle events, as often as a broker may bring them: twice."""
        for event in (*events, *events):
            handlers, context = (AUTH, self.auth) if type(event) in AUTH else (TOKEN, self.token)
            handler = handlers[type(event)]  # type: ignore[index]
            handle, given = (handler.handle, [event]) if isinstance(handler, Batched) else (handler, event)
            try:
                await handle(given, context)
            except errors.Refusal:
                continue

    async def asked(self, *, link_id: str = "link-1", typed: bool = False, seconds_ago: int = 0) -> None:
        """Let Sonos ask for a link."""
        await self.does(
            LinkRequested(
                service="default",
                link_id=link_id,
                lifetime=600,
                household_id=HOUSEHOLD,
                hardware="iPhone17,5",
                typed_id="typed-1" if typed else None,
                page_code=b"sealed" if typed else b"",
                asked_at=self.auth.clock.now(),
            )
        )

    async def sees(self, *sights: Sight, times: int = 1, note: str = "", after: int = 1) -> None:
        """Let a gateway see something, *after* seconds from now."""
        at = self.auth.clock.now() + after
        seen = tuple(Seen(sight=sight, times=times, first_at=at, last_at=at, note=note) for sight in sights)
        await self.does(
            LinkObserved(service="default", link_id=self.link_id, observer="gateway-1", seen=seen)
        )

    async def signs_in(self, password: str = "right", *, browser: str = "browser-1", times: int = 1) -> None:
        """Let somebody sign in on the page."""
        for _ in range(times):
            self.tries += 1
            submission = f"try-{self.tries}"
            evidence = LoginEvidence(name="ann", password=password)
            await self.sees(Sight.PAGE, Sight.SENT, times=self.tries, after=0)
            await self.does(
                LinkLoginSubmitted(
                    service="default",
                    link_id=self.link_id,
                    submission_id=submission,
                    browser=browser,
                    provider="local",
                    evidence=seal(
                        msgspec.json.encode(evidence),
                        recipient=self.auth.public_keys.auth_worker_box[0].public,
                        bound_to=evidence_identity(self.link_id, submission),
                    ),
                )
            )

    async def linked(self) -> None:
        """Go all the way to the token."""
        await self.signs_in()
        await self.sees(Sight.ALLOWED)
        await self.does(LinkApproved(service="default", link_id=self.link_id, browser="browser-1"))

    async def grant_id(self) -> str:
        (trail,) = await self.stores.read.trails([self.link_id])
        return trail.link.grant_id or ""

    async def used(self) -> None:
        """Let a call come with the token."""
        await self.does(TokenSeen(service="default", grant_id=await self.grant_id(), family=1, generation=1))

    async def disabled(self) -> None:
        """Disable the account."""
        (trail,) = await self.stores.read.trails([self.link_id])
        async with self.auth.store.transaction() as transaction:
            await transaction.set_account_status(trail.link.account_id or "", AccountStatus.DISABLED)

    async def told(self, *, later: int = 0) -> Story:
        """Return the story, as it is told *later*."""
        (trail,) = await self.stores.read.trails([self.link_id])
        return story(replace(trail, now=trail.now + later))


@pytest.fixture
async def play(
    stores: Stores, context: AuthContext, tmp_path: Path, database_url: str
) -> AsyncIterator[Play]:
    made = keys.create(SystemRandom().token_bytes)
    settings = context.settings
    auth = replace(context, providers={"local": Source()}, keys=made.auth_worker, public_keys=made.public)
    async with MemoryBus() as bus:
        token = TokenContext(
            settings=settings,
            bus=bus,
            store=stores.token,
            keys=made.token_worker,
            public_keys=made.public,
            clock=SystemClock(),
            random=SystemRandom(),
            mint=Mint.of(made.token_worker, settings),
        )
        yield Play(stores=stores, auth=auth, token=token)


Way = Callable[[Play], Awaitable[None]]
WAYS: dict[str, Way] = {}


def way(act: Way) -> Way:
    """Take a way to stop into the table, under the name of what it is told as."""
    WAYS[act.__name__] = act
    return act


@way
async def nothing_came(play: Play) -> None:
    await play.asked()


@way
async def not_opened(play: Play) -> None:
    await play.asked()
    await play.sees(Sight.RETRY, times=14)


@way
async def not_typed(play: Play) -> None:
    await play.asked(typed=True)
    await play.sees(Sight.RETRY, times=14)


@way
async def not_signed_in(play: Play) -> None:
    await play.asked()
    await play.sees(Sight.PAGE, Sight.RETRY)


@way
async def not_back(play: Play) -> None:
    await not_signed_in(play)
    await play.sees(Sight.LEFT, note="corp")


@way
async def turned_away(play: Play) -> None:
    await not_back(play)
    await play.sees(Sight.TURNED_AWAY, note="access_denied")


@way
async def wrong_password(play: Play) -> None:
    await play.asked()
    await play.signs_in("wrong", times=2)


@way
async def burnt(play: Play) -> None:
    await play.asked()
    await play.signs_in("wrong", times=5)


@way
async def incomplete(play: Play) -> None:
    await play.asked()
    await play.signs_in("half")


@way
async def not_allowed(play: Play) -> None:
    await play.asked()
    await play.signs_in("tier")


@way
async def provider_away(play: Play) -> None:
    await play.asked()
    await play.signs_in("away")


@way
async def limited(play: Play) -> None:
    await play.asked()
    await play.signs_in("limit")


@way
async def not_judged(play: Play) -> None:
    await play.asked()
    await play.sees(Sight.PAGE, Sight.SENT)


@way
async def not_confirmed(play: Play) -> None:
    await play.asked()
    await play.signs_in()


@way
async def taken(play: Play) -> None:
    await not_confirmed(play)
    await play.signs_in(browser="browser-2")


@way
async def not_minted(play: Play) -> None:
    await not_confirmed(play)
    await play.sees(Sight.ALLOWED)


@way
async def declined(play: Play) -> None:
    await not_confirmed(play)
    await play.does(LinkDeclineRequested(service="default", link_id=play.link_id, browser="browser-1"))


@way
async def disabled_meanwhile(play: Play) -> None:
    await not_confirmed(play)
    await play.disabled()
    await play.sees(Sight.ALLOWED)
    await play.does(LinkApproved(service="default", link_id=play.link_id, browser="browser-1"))


@way
async def superseded(play: Play) -> None:
    await play.asked()
    async with play.auth.store.transaction() as transaction:
        link = await transaction.link(play.link_id)
        assert link is not None
        # Two requests within seconds may be one that was sent twice.
        older = replace(link, link_id="link-0", requested_at=link.requested_at - 60)
        await transaction.insert_link(older)
    await play.asked(link_id="link-2")
    play.link_id = "link-0"


@way
async def name_taken(play: Play) -> None:
    await play.asked(link_id="link-0", typed=True)
    await play.asked(typed=True)


@way
async def never_polled(play: Play) -> None:
    await play.asked()
    await play.linked()


@way
async def stopped_polling(play: Play) -> None:
    await play.asked()
    await play.sees(Sight.RETRY, times=3, after=0)
    await play.linked()


@way
async def not_answered(play: Play) -> None:
    await stopped_polling(play)
    await play.sees(Sight.UNAVAILABLE)


@way
async def wrong_device(play: Play) -> None:
    await stopped_polling(play)
    await play.sees(Sight.WRONG_DEVICE)


@way
async def not_used(play: Play) -> None:
    await stopped_polling(play)
    await play.sees(Sight.DELIVERED, note="Sonos_other")


@way
async def given_often(play: Play) -> None:
    await stopped_polling(play)
    await play.sees(Sight.DELIVERED, times=7)


@way
async def works(play: Play) -> None:
    await not_used(play)
    await play.used()


@way
async def ended(play: Play) -> None:
    await works(play)
    await play.does(
        TokenRevokeRequested(
            service="default", scope=Scope.GRANT, value=await play.grant_id(), reason="operator"
        )
    )


def test_every_way_is_played() -> None:
    """The table of ways and that of words have the same rows."""
    assert {stop.name for stop in STOPS} == set(WAYS)
    assert len(STOPS) == len({stop.title for stop in STOPS})


@pytest.mark.parametrize("name", WAYS)
async def test_the_right_story_is_told(play: Play, name: str) -> None:
    """Of each way, while it may go on and a day later, with all its words filled in."""
    await WAYS[name](play)
    soon, late = await play.told(), await play.told(later=86400)
    words = [soon.verdict.headline, soon.verdict.missing, soon.verdict.advice]

    assert (name, name) == (soon.verdict.stop, late.verdict.stop)
    assert not late.verdict.is_open
    assert not any("{" in each for each in words)
    assert all(words) or name == "works"
    assert [step.at for step in late.steps] == sorted(step.at for step in late.steps)


async def test_a_vouched_link_of_a_disabled_account(play: Play) -> None:
    """The back end's link is made anyway, and ended at once."""
    for link_id in ("link-0", "link-1"):
        await play.does(
            LinkVouched(
                service="default",
                link_id=link_id,
                lifetime=600,
                household_id=HOUSEHOLD,
                vouched=seal(
                    msgspec.json.encode(Vouched(subject="ann")),
                    recipient=play.auth.public_keys.auth_worker_box[0].public,
                    bound_to=vouched_identity(link_id),
                ),
            )
        )
        play.link_id = "link-0"
        await play.disabled()
    play.link_id = "link-1"

    assert "disabled_meanwhile" == (await play.told()).verdict.stop


async def test_a_timeline_from_beginning_to_end(play: Play) -> None:
    """Every step in words, in the order of time; who was given the token is named."""
    await works(play)
    told = await play.told()

    assert {
        "Sonos was given a link code",
        "the page was opened",
        "somebody sent evidence of who they are",
        "signed in (local)",
        "the person allowed it",
        "a token was minted",
        "Sonos polled, and was told to ask again",
        "Sonos polled, and was given the token, as household Sonos_other",
        "first call with the token",
    } == {step.words for step in told.steps}
    assert "Linked, and in use." == told.verdict.headline


def test_causes_come_first_within_a_second() -> None:
    """A token is not minted before the person allowed it, whoever's clock says so."""
    link = Link(
        link_id="link-1",
        service="default",
        state=LinkState.LINKED,
        household_id=HOUSEHOLD,
        device=Device(),
        callback_path="",
        requested_at=100,
        expires_at=700,
    )
    seen = [
        Sighting(
            link_id="link-1", service="default", observer="g", sight=sight, times=1, first_at=at, last_at=at
        )
        for sight, at in ((Sight.ALLOWED, 103), (Sight.PAGE, 99), (Sight.DELIVERED, 103), (Sight.SENT, 102))
    ]
    kinds = {"link.linked": 103, "login.authenticated": 102, "link.requested": 100}
    happened = tuple(Happened(at=at, kind=kind) for kind, at in kinds.items())
    trail = Trail(link=link, happened=happened, sightings=tuple(seen), grant=None, now=104)

    assert [
        "link.requested",
        "seen.page",
        "seen.sent",
        "login.authenticated",
        "seen.allowed",
        "link.linked",
        "seen.delivered",
    ] == [step.kind for step in steps(trail)]


async def test_first_use_is_seen_by_a_refresh_too(play: Play) -> None:
    """A household whose first call comes with a token that is stale already."""
    await not_used(play)
    refresh = TokenRefreshRequested(
        service="default",
        request_id="request-1",
        grant_id=await play.grant_id(),
        family=1,
        generation=1,
        expires_at=0,
    )
    await play.does(refresh)

    assert "works" == (await play.told()).verdict.stop


async def test_erased_people_are_not_told_of(play: Play, stores: Stores) -> None:
    """What stays of their link is that it was one, until retention takes it."""
    await works(play)
    (trail,) = await stores.read.trails([play.link_id])
    async with stores.auth.transaction() as transaction:
        await transaction.forget_in_audit(trail.link.account_id or "")
    async with stores.token.transaction() as transaction:
        await transaction.erase_account(trail.link.account_id or "")

    assert "ended" == (await play.told()).verdict.stop


async def test_what_a_link_is_found_by(play: Play, stores: Stores) -> None:
    """Its id; its household, the last link first; never another's."""
    await superseded(play)
    by_id = await lookup.named("0" * 32, stores.read, link_code_keys=[], services=["default"])
    of_household = await lookup.of_household(HOUSEHOLD, stores.read)

    assert () == by_id
    assert {"link-0", "link-1", "link-2"} == {each.trail.link.link_id for each in of_household}
    assert () == await lookup.of_household("Sonos_other", stores.read)
    with pytest.raises(ValueError, match="neither a link code"):
        await lookup.named("no code!", stores.read, link_code_keys=[], services=["default"])
