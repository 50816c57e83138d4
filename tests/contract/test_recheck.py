"""Asking a provider again whether a person is still there, on both databases, over real HTTP: nobody is lost who is there."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import msgspec
import pytest

from auth_worker import endings
from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity, RedirectProvider
from auth_worker.providers.oauth2 import KeptTokens
from auth_worker.providers.opening import open_providers
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.recheck import LEFT_IN_PEACE_SECONDS, recheck, signed_in
from shared.boxes import EndEvidence, end_identity, provider_tokens_identity
from shared.domain.account import Account
from shared.domain.link import LinkState
from shared.messages import AccountEndSubmitted, AccountRecheckRequested, TokenRevokeRequested
from shared.sealing import seal, unseal
from shared.settings import load
from shared.settling import Retry
from shared.storage.base import StoreUnavailable
from shared.storage.lifecycle import AccountCheck, Doubt
from shared.wire import decode
from tests.play.database import execute
from tests.play.directory import CLIENT, Directory, running_directory
from tests.store_samples import LINK, Stores

ASKED = AccountRecheckRequested(service="default", account_id="account-1")


@pytest.fixture
def directory() -> Iterator[Directory]:
    with running_directory() as running:
        yield running


@pytest.fixture
async def asking(context: AuthContext, directory: Directory, database_url: str) -> AsyncIterator[AuthContext]:
    """auth_worker, with one OpenID Connect provider whose people are looked up again."""
    settings = load(
        database_url=database_url,
        broker_url="memory://",
        keys_dir=context.settings.keys_dir,
        public_url="http://127.0.0.1",
        providers={
            "acme": {
                "type": "oidc",
                "issuer": directory.url,
                "client_id": CLIENT,
                "keep_tokens": True,
                "userinfo": False,
            }
        },
        recheck={"acme": {"every": 24}},
        account_events={"backchannel_logout": ["acme"]},
    )
    async with open_providers(settings, context.store) as providers:
        yield replace(context, settings=settings, providers=providers)


class Acme:
    """What is known of one person at the provider, and what became of it."""

    def __init__(self, asking: AuthContext, directory: Directory, database_url: str) -> None:
        self.context, self.directory, self.database_url = asking, directory, database_url

    async def sign_in(self, token: str | None = None) -> None:
        """Sign in, as a browser does, and let so much time pass that the person is looked up again."""
        kept = KeptTokens(subject="ann", refresh_token=token or self.directory.refresh_token("ann"))
        sealed = seal(
            msgspec.json.encode(kept),
            recipient=self.context.public_keys.auth_worker_box[0].public,
            bound_to=provider_tokens_identity("account-1"),
        )
        async with self.context.store.transaction() as transaction:
            account = await transaction.upsert_account(
                Account(
                    account_id="account-1", service="default", provider="acme", subject="ann", nickname="Ann"
                )
            )
            await transaction.put_provider_tokens(account_id="account-1", service="default", sealed=sealed)
            await signed_in(transaction, account, brought_tokens=True)
        await self.wait()

    async def wait(self) -> None:
        """Let a day pass."""
        for statement in (
            "UPDATE provider_tokens SET checked_at = checked_at - 90000",
            "UPDATE account_checks SET next_at = next_at - 90000",
        ):
            await execute(self.database_url, statement)

    async def check(self) -> AccountCheck | None:
        async with self.context.store.transaction() as transaction:
            return await transaction.account_check("account-1")

    async def kept(self) -> str | None:
        """Return the refresh token that is kept."""
        async with self.context.store.transaction() as transaction:
            tokens = await transaction.provider_tokens("account-1")
        if tokens is None:
            return None
        opened = unseal(
            tokens.sealed,
            private_keys=[key.secret for key in self.context.keys.box],
            bound_to=provider_tokens_identity("account-1"),
        )
        return msgspec.json.decode(opened, type=KeptTokens).refresh_token

    async def revokes(self) -> list[TokenRevokeRequested]:
        """Return what token_worker was asked to end, and forget it."""
        received: list[TokenRevokeRequested] = []

        async def receive(delivery: object) -> None:
            received.extend(decode(delivery.body).events)
            await delivery.ack()

        await self.context.bus.consume("token.revoke", receive, prefetch=10)
        # One that is ours ends the reading: memory hands over in order.
        end = TokenRevokeRequested(service="", scope="all", reason="end")
        await self.context.bus.publish([end])
        async with asyncio.timeout(30):
            while end not in received:
                await asyncio.sleep(0)
        await self.context.bus.stop_consuming()
        received.remove(end)
        return received

    async def audit(self) -> list[str]:
        rows = await execute(self.database_url, "SELECT kind FROM audit_events ORDER BY event_id")
        return [kind for (kind,) in rows]


@pytest.fixture
async def acme(asking: AuthContext, directory: Directory, database_url: str) -> Acme:
    found = Acme(asking, directory, database_url)
    await found.sign_in()
    return found


async def test_person_who_is_there_stays(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """The new refresh token is kept, the nickname follows, nothing ends, and it is not asked again for a day."""
    directory.nicknames["ann"] = "Anna"
    before = await acme.kept()
    for _ in range(3):
        await recheck(ASKED, asking)
    after, check = await acme.kept(), await acme.check()
    await acme.wait()
    await recheck(ASKED, asking)

    assert 2 == directory.asked["token"]
    assert before != after
    assert {await acme.kept()} == set(directory.live)
    assert check is not None
    assert (None, None) == (check.claim, check.gone_at)
    assert [("Anna",)] == await execute(acme.database_url, "SELECT nickname FROM accounts")
    assert [] == await acme.revokes()


async def test_person_who_is_gone_ends(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """Grants that were there when it was asked; told again with each event, since telling may have failed; asked no more."""
    directory.forget("ann")
    for _ in range(3):
        await recheck(ASKED, asking)
    check, revokes = await acme.check(), await acme.revokes()

    assert 1 == directory.asked["token"]
    assert check is not None
    assert [("account", "account-1", "provider says gone", check.gone_at)] * 3 == [
        (each.scope, each.value, each.reason, each.started_by) for each in revokes
    ]
    assert None is await acme.kept()
    assert ["account.gone"] == await acme.audit()


async def test_signing_in_again_begins_anew(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """Who was gone and signs in is there; a late event ends nothing any more."""
    directory.forget("ann")
    await recheck(ASKED, asking)
    await acme.revokes()
    await acme.sign_in()
    await recheck(ASKED, asking)

    assert [] == await acme.revokes()
    assert {await acme.kept()} == set(directory.live)


@pytest.mark.parametrize("mode", ["away", "broken"])
async def test_provider_that_is_down_changes_nothing(
    acme: Acme, asking: AuthContext, directory: Directory, mode: str
) -> None:
    """Day after day, and it is left in peace in between; when it is back, everything goes on."""
    before, directory.mode = await acme.kept(), mode
    for _ in range(3):
        await recheck(ASKED, asking)
        await recheck(ASKED, asking)
        await acme.wait()
    asked, directory.mode = directory.asked["token"], "well"
    during = await acme.kept()
    await recheck(ASKED, asking)
    check = await acme.check()

    assert (3, before) == (asked, during)
    assert {await acme.kept()} == set(directory.live)
    assert check is not None
    assert (None, None) == (check.claim, check.gone_at)
    assert [] == await acme.revokes()


async def test_provider_that_is_down_is_left_in_peace(
    acme: Acme, asking: AuthContext, directory: Directory
) -> None:
    """About the same person, and no longer than that."""
    directory.mode = "away"
    await recheck(ASKED, asking)
    asked = []
    for seconds in (LEFT_IN_PEACE_SECONDS - 60, 60):
        await execute(acme.database_url, f"UPDATE account_checks SET next_at = next_at - {seconds}")
        await recheck(ASKED, asking)
        asked.append(directory.asked["token"])

    assert [1, 2] == asked


async def test_provider_that_cannot_be_reached_changes_nothing(
    context: AuthContext, database_url: str
) -> None:
    """Nothing was sent, so nothing is in doubt: who is gone when it is back has gone."""
    with running_directory() as directory:
        pass
    assert directory.url
    settings = load(
        database_url=database_url,
        broker_url="memory://",
        keys_dir=context.settings.keys_dir,
        public_url="http://127.0.0.1",
        providers={
            "acme": {
                "type": "oauth2",
                "authorization_endpoint": f"{directory.url}/authorize",
                "token_endpoint": f"{directory.url}/token",
                "userinfo_endpoint": f"{directory.url}/userinfo",
                "client_id": CLIENT,
                "keep_tokens": True,
            }
        },
        recheck={"acme": {}},
    )
    async with open_providers(settings, context.store) as providers:
        asking = replace(context, settings=settings, providers=providers)
        acme = Acme(asking, directory, database_url)
        await acme.sign_in()
        before = await acme.kept()
        await recheck(ASKED, asking)
        check = await acme.check()

    assert check is not None
    assert (None, None) == (check.claim, check.gone_at)
    assert before == await acme.kept()
    assert [] == await acme.revokes()


async def test_down_and_then_gone_ends(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """A provider that says it does not look at requests now has not used up the token: its later word counts."""
    directory.mode = "away"
    await recheck(ASKED, asking)
    directory.mode = "well"
    directory.forget("ann")
    await acme.wait()
    await recheck(ASKED, asking)

    assert ["provider says gone"] == [each.reason for each in await acme.revokes()]


async def test_lost_answer_loses_nobody(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """The provider has rotated and we did not hear the new token: its `invalid_grant` afterwards is no word about the person."""
    directory.mode = "lost"
    await recheck(ASKED, asking)
    directory.mode = "well"
    await acme.wait()
    await recheck(ASKED, asking)
    check, audit = await acme.check(), await acme.audit()
    await acme.wait()
    await recheck(ASKED, asking)

    assert check is not None
    assert (None, None) == (check.claim, check.gone_at)
    assert ["account.recheck_unknown"] == audit
    assert (None, 2) == (await acme.kept(), directory.asked["token"])
    assert [] == await acme.revokes()


async def test_crash_after_the_provider_answered(
    acme: Acme, asking: AuthContext, directory: Directory
) -> None:
    """As if the process had died with the new token in its hands: redelivered at once, and again when the lease is over."""
    provider = asking.providers["acme"]
    assert isinstance(provider, RedirectProvider)

    class Died(BaseException):
        pass

    class Dying(type(provider)):
        async def recheck(self, tokens: bytes) -> object:
            await super().recheck(tokens)
            raise Died

    dying = object.__new__(Dying)
    dying.__dict__.update(provider.__dict__)
    with pytest.raises(Died):
        await recheck(ASKED, replace(asking, providers={"acme": dying}))
    await recheck(ASKED, asking)
    during = directory.asked["token"]
    await acme.wait()
    await recheck(ASKED, asking)

    assert (1, 2) == (during, directory.asked["token"])
    assert ["account.recheck_unknown"] == await acme.audit()
    assert [] == await acme.revokes()


async def test_crash_before_the_provider_was_asked(
    acme: Acme, asking: AuthContext, directory: Directory
) -> None:
    """The token is still good: the next one gets an answer, and doubt is over."""
    async with asking.store.transaction() as transaction:
        await transaction.insert_account_check(
            AccountCheck(
                account_id="account-1", service="default", claim="of the dead", next_at=0, doubt=Doubt.OPEN
            )
        )
    await recheck(ASKED, asking)
    check = await acme.check()

    assert check is not None
    assert (None, Doubt.FADING) == (check.claim, check.doubt)
    assert {await acme.kept()} == set(directory.live)


async def test_two_workers_ask_once(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """However many events come at the same time: one question, one new token, and it is the one that is kept."""
    directory.mode = "held"
    asked = [asyncio.create_task(_as_worker(asking)) for _ in range(6)]
    async with asyncio.timeout(30):
        while directory.holding == 0 or sum(task.done() for task in asked) < 5:
            await asyncio.sleep(0.01)
    directory.mode = "well"
    await asyncio.gather(*asked)

    assert 1 == directory.asked["token"]
    assert {await acme.kept()} == set(directory.live)
    assert [] == await acme.revokes()


async def _as_worker(asking: AuthContext) -> None:
    """Handle the event as shared/worker.py does: again at once when somebody else was faster."""
    from shared.worker import _again_on_conflict

    await _again_on_conflict(lambda: recheck(ASKED, asking))


async def test_worker_that_slept_over_its_lease(
    acme: Acme, asking: AuthContext, directory: Directory
) -> None:
    """A second one asks with the same token meanwhile; whatever order the answers come in, nobody is ended, and doubt stays."""
    directory.mode = "held"
    first = asyncio.create_task(recheck(ASKED, asking))
    async with asyncio.timeout(30):
        while directory.holding < 1:
            await asyncio.sleep(0.01)
    await acme.wait()
    second = asyncio.create_task(recheck(ASKED, asking))
    async with asyncio.timeout(30):
        while directory.holding < 2:
            await asyncio.sleep(0.01)
    directory.mode = "well"
    await asyncio.gather(first, second)
    await acme.wait()
    await recheck(ASKED, asking)
    await acme.wait()
    await recheck(ASKED, asking)

    assert [] == await acme.revokes()
    assert "account.gone" not in await acme.audit()


async def test_sign_in_while_it_is_asked(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """Tokens that a sign-in has just brought are not overwritten, and the answer about the old ones ends nothing."""
    for gone in (False, True):
        directory.mode = "held"
        asked = asyncio.create_task(recheck(ASKED, asking))
        async with asyncio.timeout(30):
            while directory.holding < 1:
                await asyncio.sleep(0.01)
        if gone:
            directory.forget("ann")
        token = directory.refresh_token("ann")
        await acme.sign_in(token)
        if gone:
            directory.live = {token: "ann"}
        directory.mode = "well"
        await asked

        assert token == await acme.kept()
        assert [] == await acme.revokes()


async def test_database_that_is_away_when_the_answer_comes(
    acme: Acme, asking: AuthContext, directory: Directory
) -> None:
    """The answer is kept in hand and stored when the database is back."""
    store = asking.store

    class Failing:
        """The store, of which two transactions fail after the first."""

        begun = 0

        def transaction(self) -> object:
            self.begun += 1
            if self.begun in {2, 3}:
                raise StoreUnavailable("for this test")
            return store.transaction()

    failing = Failing()
    await recheck(ASKED, replace(asking, store=failing))

    assert 4 == failing.begun
    assert {await acme.kept()} == set(directory.live)


async def test_provider_that_is_asked_by_name(acme: Acme, asking: AuthContext) -> None:
    """Without tokens there is never any doubt; whoever is there again later is not ended again."""
    there = True

    class Named:
        async def recheck(self, subject: str) -> bool:
            assert "ann" == subject
            if there is None:
                raise ProviderUnavailable("down")
            return there

        async def authenticate(self, evidence: object, *, service: str) -> Identity:
            raise AssertionError("nobody signs in here")

    named = replace(asking, providers={"acme": Named()})
    counts = []
    for answer in (True, None, False, None, True):
        there = answer
        await recheck(ASKED, named)
        counts.append(len(await acme.revokes()))
        await acme.wait()
    check = await acme.check()

    assert [0, 0, 1, 0, 0] == counts
    assert check is not None
    assert (Doubt.NONE, None) == (check.doubt, check.gone_at)


async def test_tokens_that_do_not_open(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """Sealed with a key that is gone: nothing changes, and nothing was sent."""
    await execute(acme.database_url, "UPDATE provider_tokens SET sealed = :sealed", sealed=b"of another key")
    await recheck(ASKED, asking)
    check = await acme.check()

    assert check is not None
    assert (0, None, Doubt.NONE) == (directory.asked["token"], check.claim, check.doubt)
    assert [] == await acme.revokes()


async def test_accounts_that_are_not_looked_up(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """Unknown ones, disabled ones, those of providers that the settings do not name, and those without tokens."""
    await recheck(AccountRecheckRequested(service="default", account_id="account-2"), asking)
    await recheck(ASKED, replace(asking, settings=asking.settings.model_copy(update={"recheck": {}})))
    await execute(acme.database_url, "UPDATE accounts SET status = 'disabled'")
    await recheck(ASKED, asking)
    await execute(acme.database_url, "UPDATE accounts SET status = 'active'")
    await execute(acme.database_url, "DELETE FROM provider_tokens")
    await recheck(ASKED, asking)

    assert 0 == directory.asked["token"]
    assert None is await acme.check()


def told(context: AuthContext, request_id: str, **evidence: str) -> AccountEndSubmitted:
    return AccountEndSubmitted(
        service="default",
        request_id=request_id,
        evidence=seal(
            msgspec.json.encode(EndEvidence(provider="acme", **evidence)),
            recipient=context.public_keys.auth_worker_box[0].public,
            bound_to=end_identity(request_id),
        ),
    )


async def test_end_counts_once(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """Redelivered it is asked for again as of the same moment; in another request it does nothing."""
    token = directory.logout_token("ann")
    for request_id in ("first", "first", "second"):
        await endings.end(told(asking, request_id, logout_token=token), asking)
    revokes = await acme.revokes()

    assert ["told by acme"] * 2 == [each.reason for each in revokes]
    assert 1 == len({each.started_by for each in revokes})
    assert (None, None) == (await acme.kept(), await acme.check())


async def test_end_is_known_by_its_name_for_a_while(
    acme: Acme, asking: AuthContext, directory: Directory, stores: Stores
) -> None:
    """Longer than anybody takes one that is as old; then retention forgets it."""
    await endings.end(told(asking, "first", logout_token=directory.logout_token("ann")), asking)
    gone = []
    for seconds in (endings.REMEMBERED_SECONDS - 60, 60):
        await execute(acme.database_url, f"UPDATE told_ends SET expires_at = expires_at - {seconds}")
        async with stores.token.transaction() as transaction:
            gone.append(await transaction.delete_expired(links_before=0, limit=10))

    assert [0, 1] == gone


async def test_link_that_is_about_to_be_allowed_ends_too(
    acme: Acme, asking: AuthContext, directory: Directory
) -> None:
    """Who has signed in and not yet allowed has to sign in again."""
    async with asking.store.transaction() as transaction:
        link = replace(
            LINK, state=LinkState.AUTHENTICATED, account_id="account-1", expires_at=transaction.now + 600
        )
        await transaction.insert_link(link)
    await endings.end(told(asking, "first", logout_token=directory.logout_token("ann")), asking)
    async with asking.store.transaction() as transaction:
        after = await transaction.link(link.link_id)

    assert after is not None
    assert (LinkState.FAILED, link.version + 1) == (after.state, after.version)


async def test_logout_token_waits_for_the_keys(acme: Acme, asking: AuthContext, directory: Directory) -> None:
    """A provider says it once: while its keys cannot be had, the event is tried again and not refused."""
    other = load(
        database_url=acme.database_url,
        broker_url="memory://",
        keys_dir=asking.settings.keys_dir,
        public_url="http://127.0.0.1",
        providers={"acme": {"type": "oidc", "issuer": directory.url, "client_id": CLIENT}},
        account_events={"backchannel_logout": ["acme"]},
    )
    directory.down = True
    async with open_providers(other, asking.store) as providers:
        with pytest.raises(Retry):
            await endings.end(
                told(asking, "first", logout_token=directory.logout_token("ann")),
                replace(asking, settings=other, providers=providers),
            )
    directory.down = False
    await endings.end(told(asking, "first", logout_token=directory.logout_token("ann")), asking)

    assert 1 == len(await acme.revokes())


async def test_sign_in_without_new_tokens_keeps_the_doubt(acme: Acme, asking: AuthContext) -> None:
    """A browser that brought no refresh token says nothing about the one that may be used up."""
    doubtful = AccountCheck(account_id="account-1", service="default", next_at=5, doubt=Doubt.OPEN)
    async with asking.store.transaction() as transaction:
        await transaction.insert_account_check(doubtful)
        account = await transaction.account("account-1")
        assert account is not None
        await signed_in(transaction, account, brought_tokens=False)

    assert doubtful == await acme.check()
