"""Budgets of wrong passwords in auth_worker, on both databases: what counts, for whom, and what is put on record."""

import asyncio
from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from auth_worker.context import AuthContext
from auth_worker.handlers import sign_in
from auth_worker.legacy import open_session, upgrade
from auth_worker.new_links import open_links
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from gateway import counting
from shared.boxes import LoginEvidence, UpgradeEvidence, evidence_identity
from shared.context import SystemClock
from shared.domain.errors import AccountDisabled, SignInRefused
from shared.domain.limits import Counted, Tries
from shared.domain.link import Device, Link, LinkState
from shared.messages import LinkLoginSubmitted, LinkRequested, SessionRequested, UpgradeRequested
from shared.sealing import seal
from shared.storage.records import AttemptOutcome
from shared.storage.tries import TryOutcome
from tests.play.database import execute
from tests.store_samples import COUNTED, LINK, Stores, insert_link

KEY = b"k" * 32
RIGHT = "right"
ANSWERS = {"down": ProviderUnavailable("it is down"), "disabled": AccountDisabled()}


class Directory:
    """An identity provider in which everybody has the password `right`, and some passwords have their own answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        self.asked.append(evidence.password)
        await asyncio.sleep(0)
        if evidence.password in ANSWERS:
            raise ANSWERS[evidence.password]
        if evidence.password != RIGHT:
            raise SignInRefused
        return Identity(subject=evidence.name, nickname=evidence.name)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def worker(context: AuthContext, directory: Directory) -> AuthContext:
    """auth_worker, with a provider."""
    return replace(context, providers={"local": directory})


def counted(password: str, *, name: str = "ann", network: str | None = "net-1", place: str = "") -> Counted:
    login = LoginEvidence(name=name, password=password)
    return counting.counted(login, service="default", provider="local", network=network, place=place, key=KEY)


def sealed(context: AuthContext, content: object, identity: str) -> bytes:
    recipient = context.public_keys.auth_worker_box[0].public
    return seal(msgspec.json.encode(content), recipient=recipient, bound_to=identity)


class Person:
    """Signs in on pages, each time for a link of its own."""

    def __init__(self, stores: Stores, worker: AuthContext, **where: str | None) -> None:
        self.stores, self.worker, self.where = stores, worker, where

    async def tries(self, password: str, *, name: str = "ann", times: int = 1) -> AttemptOutcome:
        """Offer a password, in as many deliveries, and return how it was judged."""
        link_id = f"link-{self.worker.new_id()}"
        async with self.stores.auth.transaction() as transaction:
            await transaction.insert_link(replace(LINK, link_id=link_id, expires_at=transaction.now + 600))
        message = LinkLoginSubmitted(
            service="default",
            link_id=link_id,
            submission_id="try",
            browser="browser",
            provider="local",
            evidence=sealed(
                self.worker, LoginEvidence(name=name, password=password), evidence_identity(link_id, "try")
            ),
            counted=counted(password, name=name, **self.where),
        )
        for _ in range(times):
            await sign_in(message, self.worker)
        view = await self.stores.read.link(link_id)
        assert view is not None
        (attempt,) = view.attempts
        return attempt.outcome


async def audits(url: str) -> Counter[str]:
    return Counter(str(kind) for (kind,) in await execute(url, "SELECT kind FROM audit_events"))


async def test_account_has_a_budget_at_each_network(
    stores: Stores, worker: AuthContext, directory: Directory, database_url: str
) -> None:
    """After five wrong passwords from one network nobody looks at a sixth from there; from another one they do."""
    one, other = Person(stores, worker, network="net-1"), Person(stores, worker, network="net-2")
    first = [await one.tries(f"wrong {number}") for number in range(5)]
    then = [await one.tries("wrong 6"), await one.tries(RIGHT), await other.tries("wrong 6")]
    details = [str(row[0]) for row in await execute(database_url, "SELECT detail FROM audit_events")]

    assert [AttemptOutcome.REFUSED] * 5 == first
    assert [AttemptOutcome.LIMITED, AttemptOutcome.LIMITED, AttemptOutcome.REFUSED] == then
    assert [*(f"wrong {number}" for number in range(5)), "wrong 6"] == directory.asked
    assert {"login.refused": 6, "login.limited": 2} == await audits(database_url)
    assert any('"wait": ' in detail for detail in details)


async def test_owner_signs_in_while_the_account_is_under_attack(stores: Stores, worker: AuthContext) -> None:
    """From everywhere the account's budget is burnt; at home, and with the own browser elsewhere, the owner gets in."""
    home = Person(stores, worker, network="home", place="phone")
    await home.tries(RIGHT)
    attack = [
        await Person(stores, worker, network=f"net-{number % 7}").tries(f"guess {number}")
        for number in range(30)
    ]
    strangers = await Person(stores, worker, network="never seen").tries(RIGHT)
    owner = [
        await Person(stores, worker, **where).tries(RIGHT)
        for where in (
            {"network": "home", "place": "new tablet"},
            {"network": "mobile", "place": "phone"},
            {"network": "net-1", "place": "phone"},
        )
    ]

    assert {AttemptOutcome.REFUSED: 20, AttemptOutcome.LIMITED: 10} == Counter(attack)
    assert AttemptOutcome.LIMITED == strangers
    assert [AttemptOutcome.AUTHENTICATED] * 3 == owner


async def test_network_has_a_budget_whatever_the_account(stores: Stores, worker: AuthContext) -> None:
    """Fifty names with one password from one network are enough; who signed in there before, with the same browser, goes on."""
    await Person(stores, worker, network="net-1", place="phone").tries(RIGHT, name="neighbour")
    sprayed = [
        await Person(stores, worker, network="net-1").tries("Summer2026", name=f"name {number}")
        for number in range(52)
    ]
    neighbour = await Person(stores, worker, network="net-1", place="phone").tries(RIGHT, name="neighbour")
    new_browser = await Person(stores, worker, network="net-1").tries(RIGHT, name="neighbour")
    elsewhere = await Person(stores, worker, network="net-2").tries(RIGHT)

    assert [AttemptOutcome.REFUSED] * 50 + [AttemptOutcome.LIMITED] * 2 == sprayed
    assert [AttemptOutcome.AUTHENTICATED] * 2 == [neighbour, elsewhere]
    assert AttemptOutcome.LIMITED == new_browser


async def test_right_password_gives_the_place_its_budget_back(stores: Stores, worker: AuthContext) -> None:
    """Four typing errors, the right one, four typing errors: nobody waits."""
    person = Person(stores, worker, network="home", place="phone")
    outcomes = []
    for evening in range(3):
        outcomes += [await person.tries(f"typo {evening} {number}") for number in range(4)]
        # A right password forgives what was before its second.
        await execute_later(stores)
        outcomes.append(await person.tries(RIGHT))

    assert ([AttemptOutcome.REFUSED] * 4 + [AttemptOutcome.AUTHENTICATED]) * 3 == outcomes


async def execute_later(stores: Stores) -> None:
    """Wait until the database's clock shows the next second."""
    async with stores.auth.transaction() as transaction:
        before = transaction.now
    while (await stores.read.tries(COUNTED)).now == before:
        await asyncio.sleep(0.01)


async def test_never_more_are_looked_at_than_the_budget(
    stores: Stores, worker: AuthContext, directory: Directory
) -> None:
    """Thirty passwords in one moment: at most five are looked at, and the others count for nothing."""
    person = Person(stores, worker)
    await asyncio.gather(*(person.tries(f"guess {number}") for number in range(30)))
    tries = await stores.read.tries(counted("another"))

    assert len(directory.asked) <= 5
    assert len(directory.asked) == len(tries.at_network) == len(tries.account)


async def test_players_that_sign_in_at_once_do_not_wait(stores: Stores, worker: AuthContext) -> None:
    """The same right password ten times in one moment is no attack."""
    person = Person(stores, worker)
    outcomes = await asyncio.gather(*(person.tries(RIGHT) for _ in range(10)))

    assert [AttemptOutcome.AUTHENTICATED] * 10 == outcomes


async def test_same_wrong_password_is_refused_and_not_counted(
    stores: Stores, worker: AuthContext, directory: Directory, database_url: str
) -> None:
    """A changed password that a household repeats: asked about once a minute at most, and nobody waits for it."""
    person = Person(stores, worker)
    at_once = [await person.tries("old") for _ in range(8)]
    asked = len(directory.asked)
    await execute(database_url, "UPDATE sign_in_tries SET tried_at = tried_at - 61")
    later = await person.tries("old")
    right = await person.tries(RIGHT)
    tries = await stores.read.tries(counted(RIGHT))

    assert [AttemptOutcome.REFUSED] * 9 == [*at_once, later]
    assert (1, 2) == (asked, directory.asked.count("old"))
    assert AttemptOutcome.AUTHENTICATED == right
    assert 1 == len(tries.at_network)


@pytest.mark.parametrize("password", sorted(ANSWERS))
async def test_what_is_not_the_persons_fault_does_not_count(
    stores: Stores, worker: AuthContext, database_url: str, password: str
) -> None:
    """A provider that is down, or that does not let an account be used: no budget is touched, all is on record."""
    person = Person(stores, worker)
    outcomes = {await person.tries(password) for _ in range(7)}
    name = {"down": "unavailable", "disabled": "not_allowed"}[password]

    assert {AttemptOutcome(name)} == outcomes
    assert {f"login.{name}": 7} == await audits(database_url)
    assert () == (await stores.read.tries(counted(RIGHT))).account


async def test_redelivery_is_not_another_guess(
    stores: Stores, worker: AuthContext, directory: Directory
) -> None:
    """However often an event comes, its password is looked at once and counts once."""
    outcome = await Person(stores, worker).tries("wrong", times=3)

    assert AttemptOutcome.REFUSED == outcome
    assert ["wrong"] == directory.asked
    assert 1 == len((await stores.read.tries(counted(RIGHT))).account)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (TryOutcome.REFUSED, AttemptOutcome.REFUSED),
        (TryOutcome.REPEATED, AttemptOutcome.REFUSED),
        (TryOutcome.LIMITED, AttemptOutcome.LIMITED),
        (TryOutcome.OVER, AttemptOutcome.AUTHENTICATED),
    ],
)
async def test_worker_that_died_in_between_goes_on_where_it_was(
    stores: Stores, worker: AuthContext, ended: TryOutcome, expected: AttemptOutcome
) -> None:
    """The try was judged, the link's row did not learn of it: the redelivery tells it the same."""
    await insert_link(stores.auth, replace(LINK, expires_at=4_000_000_000))
    message = LinkLoginSubmitted(
        service="default",
        link_id=LINK.link_id,
        submission_id="try",
        browser="browser",
        provider="local",
        evidence=sealed(
            worker, LoginEvidence(name="ann", password=RIGHT), evidence_identity(LINK.link_id, "try")
        ),
        counted=counted(RIGHT),
    )
    async with stores.auth.transaction() as transaction:
        await transaction.insert_try(f"{LINK.link_id} try", service="default", counted=COUNTED, memory=600)
        await transaction.end_try(f"{LINK.link_id} try", ended)
    await sign_in(message, worker)
    view = await stores.read.link(LINK.link_id)

    assert view is not None
    assert [expected] == [attempt.outcome for attempt in view.attempts]


@pytest.mark.parametrize("kind", ["session", "upgrade"])
async def test_households_without_tokens_have_the_same_budgets(
    stores: Stores, worker: AuthContext, directory: Directory, database_url: str, kind: str
) -> None:
    """Six passwords for a session, or in place of a token: five are looked at, and each outcome is on record."""
    for number, password in enumerate(["a", "b", "c", "d", "e", "f"]):
        await legacy_sign_in(worker, kind, f"request-{number}", password)

    assert ["a", "b", "c", "d", "e"] == directory.asked
    assert {f"{kind}.refused": 5, f"{kind}.limited": 1} == await audits(database_url)


class HourAhead(SystemClock):
    """The clock of a machine that nobody has set."""

    def now(self) -> int:
        """Return what it shows."""
        return super().now() + 3600


@pytest.mark.parametrize("kind", ["session", "upgrade"])
async def test_wrong_clock_keeps_no_household_out(
    stores: Stores, worker: AuthContext, directory: Directory, kind: str
) -> None:
    """A worker whose clock is an hour ahead of the gateways' looks at passwords all the same."""
    await legacy_sign_in(replace(worker, clock=HourAhead()), kind, "request", "password")

    assert ["password"] == directory.asked


async def legacy_sign_in(worker: AuthContext, kind: str, request_id: str, password: str) -> None:
    login = LoginEvidence(name="ann", password=password)
    values = {
        "service": "default",
        "household_id": "Sonos_1",
        "provider": "local",
        "counted": counted(password),
    }
    if kind == "session":
        evidence = sealed(worker, login, evidence_identity("session", request_id))
        await open_session(SessionRequested(session_hash=request_id, evidence=evidence, **values), worker)
        return
    services = {
        "default": worker.settings.services["default"].model_copy(update={"upgrade_from": ("stateless",)})
    }
    allowed = replace(worker, settings=worker.settings.model_copy(update={"services": services}))
    content = sealed(worker, UpgradeEvidence(login=login), evidence_identity("upgrade", request_id))
    await upgrade(UpgradeRequested(request_id=request_id, evidence=content, **values), allowed)


async def test_tries_come_and_go(stores: Stores, database_url: str) -> None:
    """What counts is found under each of its keys; what does not count has none, and retention takes all of it."""
    async with stores.auth.transaction() as transaction:
        for outcome in (None, *TryOutcome):
            await transaction.insert_try(str(outcome), service="default", counted=COUNTED, memory=600)
            if outcome is not None:
                await transaction.end_try(str(outcome), outcome)
                await transaction.end_try(str(outcome), TryOutcome.OVER)
        await transaction.know_places(["at-network-1"], service="default", seconds=600)
        await transaction.know_places(["at-place-1"], service="default", seconds=0)
    tries = await stores.read.tries(COUNTED, other_than="nobody")
    without = await stores.read.tries(COUNTED, other_than="refused")
    nobody = await stores.read.tries(Counted(account="nobody"))
    await execute(database_url, "UPDATE sign_in_tries SET expires_at = 1")
    await execute(database_url, "UPDATE known_places SET expires_at = 1")
    async with stores.token.transaction() as transaction:
        deleted = await transaction.delete_expired(links_before=0, limit=100)

    assert (3, 2, 2, 2) == tuple(map(len, (tries.account, tries.network, tries.at_network, tries.at_place)))
    assert {"pending", "refused", "repeated"} == {each.state for each in tries.account}
    assert (2, 1) == (len(without.account), len(without.network))
    assert (True, None) == (tries.network_known_since is not None, tries.place_known_since)
    assert Tries(now=nobody.now) == nobody
    assert 7 == deleted


def test_keys_tell_neither_name_nor_place() -> None:
    """Each key depends on the installation's secret and on all that it stands for; the tag alone is short."""
    one = counted("x", place="phone")
    others = [
        counted("x", name="bob", place="phone"),
        counted("x", network="net-2", place="phone"),
        counted("x", place="tablet"),
        counting.counted(
            LoginEvidence(name="ann", password="x"),
            service="default",
            provider="local",
            network="net-1",
            place="phone",
            key=b"n" * 32,
        ),
    ]

    assert [True, False, False, True] == [each.account != one.account for each in others]
    assert [True, True, False, True] == [each.at_network != one.at_network for each in others]
    assert [True, False, True, True] == [each.at_place != one.at_place for each in others]
    assert counted("x", name=" ANN ").account == one.account
    assert counting.TAG_DIGITS == len(one.tag)
    assert "Counted(***)" == repr(one)


@pytest.mark.parametrize(
    ("household", "place"),
    [("Sonos_1", "household Sonos_1"), ("", ""), ("00-00-00-00-00-00:0", "")],
)
def test_household_without_a_name_is_no_place(household: str, place: str) -> None:
    """S2 names no device while it links: what all households send is trusted for none."""
    assert place == counting.household_place(household)


def asked(context: AuthContext, link_id: str, **changes: object) -> LinkRequested:
    values = {
        "lifetime": 600,
        "household_id": "Sonos_1",
        "hardware": "iPhone17,5",
        "app_name": "ICRU",
        "asked_at": context.clock.now(),
    } | changes
    return LinkRequested(service="default", link_id=link_id, **values)


async def states(stores: Stores, *link_ids: str) -> list[LinkState]:
    views = [await stores.read.link(link_id) for link_id in link_ids]
    return [view.link.state for view in views if view]


async def age(database_url: str, seconds: int = 15) -> None:
    await execute(database_url, f"UPDATE links SET requested_at = requested_at - {seconds}")


async def test_device_that_begins_anew_has_one_link(
    stores: Stores, context: AuthContext, database_url: str
) -> None:
    """The older link ends, other devices and other households keep theirs, and a duplicate changes nothing."""
    await open_links([asked(context, "old")], context)
    await open_links([asked(context, "tablet", hardware="iPad16,1")], context)
    await open_links([asked(context, "elsewhere", household_id="Sonos_2")], context)
    await age(database_url)
    for _ in range(2):
        await open_links([asked(context, "new")], context)

    assert [LinkState.EXPIRED, *[LinkState.REQUESTED] * 3] == await states(
        stores, "old", "tablet", "elsewhere", "new"
    )
    assert 1 == (await audits(database_url))["link.superseded"]


@pytest.mark.parametrize(
    ("seconds", "changes"),
    [
        (5, {}),
        (15, {"asked_at": 0}),
        (15, {"hardware": "", "app_name": ""}),
    ],
    ids=["sent twice", "long under way", "unknown device"],
)
async def test_older_link_stays_where_the_order_is_in_doubt(
    stores: Stores, context: AuthContext, database_url: str, seconds: int, changes: dict[str, object]
) -> None:
    """A request that was sent twice, an event that comes late, and devices that look alike end nobody's link."""
    first = {name: value for name, value in changes.items() if name != "asked_at"}
    await open_links([asked(context, "old", **first)], context)
    await age(database_url, seconds)
    await open_links([asked(context, "new", **changes)], context)

    assert [LinkState.REQUESTED] * 2 == await states(stores, "old", "new")


async def test_link_that_somebody_signed_in_to_stays(
    stores: Stores, worker: AuthContext, database_url: str
) -> None:
    """Who stands before the confirm page is not thrown out by another getAppLink."""
    device = Device(hardware="iPhone17,5", app_name="ICRU")
    link = Link(**{name: getattr(LINK, name) for name in LINK.__dataclass_fields__} | {"device": device})
    mine = replace(
        link,
        household_id="Sonos_1",
        state=LinkState.AUTHENTICATED,
        account_id="account-1",
        browser="browser",
        expires_at=4_000_000_000,
    )
    await insert_link(stores.auth, mine)
    await open_links([asked(worker, "new")], worker)

    assert [LinkState.AUTHENTICATED, LinkState.REQUESTED] == await states(stores, mine.link_id, "new")
