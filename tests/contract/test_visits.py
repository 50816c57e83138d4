"""Visits, origins and erasing in the store and in the workers' handlers, on both databases."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from auth_worker import household
from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from shared.boxes import LoginEvidence, evidence_identity
from shared.domain import errors
from shared.domain.account import AccountStatus
from shared.domain.grant import GrantStatus
from shared.domain.limits import Counted
from shared.domain.visit import Purpose, VisitOutcome
from shared.messages import EraseApproved, EraseRequested, HouseholdLoginSubmitted, VisitEnded, VisitUsed
from shared.sealing import seal
from shared.storage.base import Conflict
from shared.storage.records import AuditEvent
from shared.wire import decode
from tests.store_samples import ACCOUNT, GRANT, ORIGIN, SESSION, USER, VISIT, Stores, insert_grant

EARLIER = replace(GRANT, grant_id="grant-0", household_id="Sonos_other", used_at=GRANT.used_at - 10)


class Source:
    """An identity source that knows Ann, and tells of everybody else what it is asked to tell."""

    refusal: Exception = errors.SignInRefused()

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        if (evidence.name, evidence.password) != ("ann", "right"):
            raise self.refusal
        return Identity(subject="user-1", nickname="Ann")


@pytest.fixture
def source(context: AuthContext) -> Source:
    source = Source()
    context.providers["local"] = source  # type: ignore[index]
    return source


def submitted(
    context: AuthContext,
    *,
    purpose: Purpose = Purpose.HOUSEHOLD,
    password: str = "right",
    visit_hash: str = "",
) -> HouseholdLoginSubmitted:
    visit_hash = visit_hash or f"visit-{purpose}"
    evidence = LoginEvidence(name="ann", password=password)
    return HouseholdLoginSubmitted(
        service="default",
        visit_hash=visit_hash,
        purpose=purpose,
        provider="local",
        evidence=seal(
            msgspec.json.encode(evidence),
            recipient=context.public_keys.auth_worker_box[0].public,
            bound_to=evidence_identity(visit_hash, purpose),
        ),
    )


async def approvals(context: AuthContext, count: int) -> list[EraseApproved]:
    """Return what was published for token_worker."""
    received: list[EraseApproved] = []
    enough = asyncio.Event()

    async def receive(delivery) -> None:
        received.extend(decode(delivery.body).events)
        await delivery.ack()
        if len(received) >= count:
            enough.set()

    await context.bus.consume("token.revoke", receive, prefetch=10)
    async with asyncio.timeout(30):
        await enough.wait()
    return received


class TestStore:
    async def test_a_visit_comes_whole_with_its_account(self, stores: Stores) -> None:
        """Every field, and the database's time; an unknown one is None."""
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)
            inserted = [await transaction.insert_visit(VISIT) for _ in range(2)]
        view = await stores.read.visit(VISIT.visit_hash)

        assert [True, False] == inserted
        assert view is not None
        assert (VISIT, ACCOUNT) == (view.visit, view.account)
        assert await stores.read.visit("nobody") is None

    async def test_swap_writes_once(self, stores: Stores) -> None:
        """Who swaps an old version is told."""
        used = replace(VISIT, used_at=VISIT.used_at + 9, version=2)
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)
            await transaction.insert_visit(VISIT)
            await transaction.swap_visit(VISIT, used)
        with pytest.raises(Conflict):
            async with stores.auth.transaction() as transaction:
                await transaction.swap_visit(VISIT, replace(used, used_at=1))
        async with stores.auth.transaction() as transaction:
            found = await transaction.visit(VISIT.visit_hash)

        assert used == found

    async def test_systems_are_those_of_the_account_that_have_not_ended(self, stores: Stores) -> None:
        """The one used last first, each with where it came from, if that is known."""
        await insert_grant(stores, EARLIER)
        await insert_grant(stores)
        ended = replace(GRANT, grant_id="grant-2", household_id="ended", status=GrantStatus.REVOKED)
        await insert_grant(stores, ended)
        async with stores.token.transaction() as transaction:
            await transaction.put_origin(replace(ORIGIN, network="198.51.100.0/24"))
            await transaction.put_origin(ORIGIN)
        systems = await stores.read.systems(ACCOUNT.account_id, limit=10)
        first = await stores.read.systems(ACCOUNT.account_id, limit=1)

        assert [(GRANT, ORIGIN), (EARLIER, None)] == [(each.grant, each.origin) for each in systems]
        assert systems[:1] == first
        assert () == await stores.read.systems("nobody", limit=10)

    async def test_events_come_latest_first(self, stores: Stores) -> None:
        """Those that name the account, and no others."""
        async with stores.auth.transaction() as transaction:
            for kind, account_id in (("one", "account-1"), ("two", "account-2"), ("three", "account-1")):
                await transaction.audit(AuditEvent(kind=kind, service="default", account_id=account_id))
        events = await stores.read.events("account-1", limit=10)

        assert ["three", "one"] == [event.kind for event in events]
        assert ["three"] == [event.kind for event in await stores.read.events("account-1", limit=1)]

    async def test_forgetting_leaves_the_skeleton(self, stores: Stores) -> None:
        """Of the account's events and those of its links the household and the details go; others keep theirs."""
        async with stores.auth.transaction() as transaction:
            for kind, link_id, account_id in (
                ("asked", "link-1", None),
                ("linked", "link-1", "account-1"),
                ("other", "link-2", "account-2"),
            ):
                event = AuditEvent(
                    kind=kind,
                    service="default",
                    link_id=link_id,
                    account_id=account_id,
                    household_id="Sonos_x",
                    detail={"reason": "x"},
                )
                await transaction.audit(event)
            await transaction.forget_in_audit("account-1")
        (mine,) = await stores.read.events("account-1", limit=10)
        (other,) = await stores.read.events("account-2", limit=10)

        assert ("linked", None, {}) == (mine.kind, mine.household_id, mine.detail)
        assert ("Sonos_x", {"reason": "x"}) == (other.household_id, other.detail)

    async def test_erasing_takes_all_that_hangs_on_the_account(self, stores: Stores) -> None:
        """Grants, origins, sessions and visits go with it, those of others stay; a second time there is nothing."""
        await insert_grant(stores)
        another = replace(GRANT, grant_id="grant-9", account_id="account-9")
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(replace(ACCOUNT, account_id="account-9", subject="other"))
            await transaction.insert_session(SESSION)
            await transaction.insert_visit(VISIT)
        async with stores.token.transaction() as transaction:
            await transaction.insert_grant(another)
            await transaction.put_origin(ORIGIN)
            erased = await transaction.erase_account("account-1")
        async with stores.token.transaction() as transaction:
            again = await transaction.erase_account("account-1")

        assert (GRANT,) == erased
        assert again is None
        assert [None] * 3 == [
            await stores.read.grant(GRANT.grant_id),
            await stores.read.session(SESSION.session_hash),
            await stores.read.visit(VISIT.visit_hash),
        ]
        assert await stores.read.grant("grant-9") is not None

    async def test_expired_visits_go(self, stores: Stores) -> None:
        """In the very second of their expiry."""
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)
            for number, lifetime in enumerate((-10, 0, 3600)):
                await transaction.insert_visit(
                    replace(VISIT, visit_hash=f"visit-{number}", expires_at=transaction.now + lifetime)
                )
        async with stores.token.transaction() as transaction:
            deleted = await transaction.delete_expired(links_before=0, limit=10)

        assert 2 == deleted
        assert await stores.read.visit("visit-2") is not None


class TestSignIn:
    @pytest.mark.parametrize("purpose", Purpose)
    async def test_right_password_opens_one_visit(
        self, stores: Stores, context: AuthContext, source: Source, purpose: Purpose
    ) -> None:
        """However often the event comes: one visit, one account, one line in the audit."""
        for _ in range(2):
            await household.sign_in(submitted(context, purpose=purpose), context)
        view = await stores.read.visit(f"visit-{purpose}")

        assert view is not None
        assert view.account is not None
        assert (VisitOutcome.OPEN, purpose, "Ann") == (
            view.visit.outcome,
            view.visit.purpose,
            view.account.nickname,
        )
        events = await stores.read.events(view.account.account_id, limit=10)
        assert [household.AUDITED[purpose]] == [event.kind for event in events]

    @pytest.mark.parametrize(
        ("refusal", "expected"),
        [
            (errors.SignInRefused(), VisitOutcome.REFUSED),
            (errors.AccountUnsupported(), VisitOutcome.NOT_ALLOWED),
            (ProviderUnavailable("away"), VisitOutcome.UNAVAILABLE),
            (errors.TooManyTries(30), VisitOutcome.LIMITED),
        ],
    )
    async def test_anything_else_is_written_as_what_it_is(
        self,
        stores: Stores,
        context: AuthContext,
        source: Source,
        refusal: Exception,
        expected: VisitOutcome,
    ) -> None:
        """The page reads why, and nobody is let in: also not by the right password under the same hash."""
        source.refusal = refusal
        await household.sign_in(submitted(context, password="wrong"), context)
        await household.sign_in(submitted(context), context)
        view = await stores.read.visit("visit-household")

        assert view is not None
        assert (expected, None) == (view.visit.outcome, view.account)

    async def test_wrong_passwords_are_counted_and_then_not_looked_at(
        self, stores: Stores, context: AuthContext, source: Source
    ) -> None:
        """Each visit is a try of its own, a redelivery is not; over the budget the right password is not looked at either."""
        counted = Counted(account="ann", at_network="ann here")
        free = context.settings.limits.place_tries
        tries = [("wrong", number) for number in range(free)] + [("right", free)]
        for password, number in tries:
            message = msgspec.structs.replace(
                submitted(context, password=password, visit_hash=f"visit-{number}"),
                counted=replace(counted, tag=str(number)),
            )
            for _ in range(2):
                await household.sign_in(message, context)
        views = [await stores.read.visit(f"visit-{number}") for _, number in tries]

        assert [VisitOutcome.REFUSED] * free + [VisitOutcome.LIMITED] == [
            view.visit.outcome for view in views if view
        ]
        assert free == len((await stores.read.tries(counted)).at_network)

    async def test_disabled_account_is_as_wrong_as_a_wrong_password(
        self, stores: Stores, context: AuthContext, source: Source
    ) -> None:
        """Nobody is told which."""
        async with stores.auth.transaction() as transaction:
            account = await transaction.upsert_account(replace(ACCOUNT, subject="user-1"))
            await transaction.set_account_status(account.account_id, AccountStatus.DISABLED)
        await household.sign_in(submitted(context), context)
        view = await stores.read.visit("visit-household")

        assert view is not None
        assert VisitOutcome.REFUSED is view.visit.outcome

    async def test_use_is_recorded_and_signing_out_ends_it(
        self, stores: Stores, context: AuthContext, source: Source
    ) -> None:
        """Unknown visits are passed over."""
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)
            earlier = transaction.now - 600
            old = replace(VISIT, opened_at=earlier, used_at=earlier, expires_at=earlier + 1800)
            await transaction.insert_visit(old)
        events = [VisitUsed(service="default", visit_hash=each) for each in ("nobody", "visit-1")]
        await household.note_used(events, context)
        view = await stores.read.visit("visit-1")
        for _ in range(2):
            await household.sign_out(VisitEnded(service="default", visit_hash="visit-1"), context)

        assert view is not None
        assert view.visit.used_at >= earlier + 600
        assert await stores.read.visit("visit-1") is None


class TestErase:
    async def _proof(self, stores: Stores, context: AuthContext) -> str:
        async with stores.auth.transaction() as transaction:
            await transaction.insert_local_user(USER)
        await household.sign_in(submitted(context, purpose=Purpose.ERASE), context)
        view = await stores.read.visit("visit-erase")
        assert view is not None
        assert view.account is not None
        return view.account.account_id

    async def test_account_is_closed_and_handed_over_each_time(
        self, stores: Stores, context: AuthContext, source: Source
    ) -> None:
        """Nobody signs in or refreshes any more, and a duplicate publishes the follow-up again."""
        account_id = await self._proof(stores, context)
        for _ in range(2):
            await household.erase(EraseRequested(service="default", visit_hash="visit-erase"), context)
        async with stores.auth.transaction() as transaction:
            account = await transaction.account(account_id)
            user = await transaction.local_user("default", USER.name)

        assert account is not None
        assert (AccountStatus.DISABLED, None) == (account.status, user)
        assert [account_id] * 2 == [event.account_id for event in await approvals(context, 2)]

    @pytest.mark.parametrize("visit_hash", ["visit-household", "nobody"])
    async def test_being_signed_in_is_not_enough(
        self, stores: Stores, context: AuthContext, source: Source, visit_hash: str
    ) -> None:
        """Nothing happens without a proof for this purpose."""
        await household.sign_in(submitted(context), context)
        with pytest.raises(errors.VisitOver):
            await household.erase(EraseRequested(service="default", visit_hash=visit_hash), context)
        view = await stores.read.visit("visit-household")

        assert view is not None
        assert view.account is not None
        assert AccountStatus.ACTIVE is view.account.status
