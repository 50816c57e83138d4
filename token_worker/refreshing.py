"""Judges presented tokens, many at a time: from the rows as they were read to what has to be written, without a database between.

Each message is judged on what those before it in the same batch have left: of two that present the same generation, the first rotates
the grant, and the second gets the same pair, as if they had come one after the other.
"""

from shared.boxes import refresh_delivery_id
from shared.domain import errors
from shared.domain import grant as grants
from shared.domain.account import Account, AccountStatus
from shared.domain.grant import Grant, GrantStatus, Presented, ReusePolicy
from shared.domain.notice import Notice, NoticeKind
from shared.messages import RefreshOutcome, TokenRefreshRequested
from shared.sealing import Sealer
from shared.storage.records import AuditEvent, Changes, Holders, SealedPair
from token_worker import notices
from token_worker.context import TokenContext
from token_worker.deliveries import DELIVERY_SECONDS, sealed, sealer


class Refreshing:
    """One batch."""

    def __init__(self, holders: Holders, *, context: TokenContext) -> None:
        self._holders = holders.found
        self._now = holders.now
        self._context = context
        self._keys = context.mint.current
        self._lifetimes = context.settings.lifetimes
        self._sealer: Sealer | None = None
        self._current = {grant_id: grant for grant_id, (grant, _) in holders.found.items()}
        self._pairs: dict[str, SealedPair] = {}
        self._audits: list[AuditEvent] = []
        self._notices: list[Notice] = []
        self.refreshed: list[Account] = []
        """Whose tokens were refreshed."""
        self.ended: list[Grant] = []
        """Grants whose families ended just now."""

    @property
    def changes(self) -> Changes:
        """Return what is to be written."""
        before = ((grant, self._current[grant_id]) for grant_id, (grant, _) in self._holders.items())
        return Changes(
            swaps=[(old, new) for old, new in before if old is not new],
            deliveries=list(self._pairs.values()),
            audits=self._audits,
            notices=self._notices,
        )

    def judge(self, message: TokenRefreshRequested) -> RefreshOutcome:
        """Judge one presented token."""
        if not self._is_key_accepted(message):
            return RefreshOutcome.REFUSED
        grant = self._current.get(message.grant_id)
        if grant is None:
            return RefreshOutcome.REAUTHORIZE
        _, account = self._holders[message.grant_id]
        if account.status is AccountStatus.DISABLED:
            return RefreshOutcome.REAUTHORIZE
        try:
            refreshed = self._refreshed(grant, message)
        except errors.ReuseDetected:
            self._answer_reuse(grant)
            return RefreshOutcome.REAUTHORIZE
        except errors.ReauthorizationNeeded:
            if grant.status is GrantStatus.ACTIVE and message.family == grant.family:
                # A lifetime is over. Who comes with an earlier family, or after a revocation, was told of before.
                self._tell(NoticeKind.REAUTHORIZATION_NEEDED, grant)
            return RefreshOutcome.REAUTHORIZE
        self._current[grant.grant_id] = refreshed
        self._deliver(message, refreshed, account)
        self.refreshed.append(account)
        return RefreshOutcome.DELIVERED

    def _refreshed(self, grant: Grant, message: TokenRefreshRequested) -> Grant:
        return grants.refresh(
            grant,
            Presented(family=message.family, generation=message.generation, expires_at=message.expires_at),
            keys=self._keys,
            lifetimes=self._lifetimes,
            shortening=self._context.fraction(),
            now=self._now,
        )

    def _deliver(self, message: TokenRefreshRequested, grant: Grant, account: Account) -> None:
        delivery_id = refresh_delivery_id(message.grant_id, message.family, message.generation)
        if self._sealer is None:
            self._sealer = sealer(self._context)
        self._pairs[delivery_id] = SealedPair(
            delivery_id=delivery_id,
            service=grant.service,
            sealed=sealed(delivery_id, grant, account, self._context, by=self._sealer),
            expires_at=self._now + DELIVERY_SECONDS,
        )

    def _is_key_accepted(self, message: TokenRefreshRequested) -> bool:
        context = self._context
        if message.key_hash is None or context.mint.is_no_key(message.key_hash):
            return context.settings.refresh.without_key
        return context.mint.is_key_of(
            message.key_hash,
            grant_id=message.grant_id,
            family=message.family,
            generation=message.generation,
        )

    def _answer_reuse(self, grant: Grant) -> None:
        self._audits.append(audited("token.reuse_detected", grant))
        self._tell(NoticeKind.THEFT_SUSPECTED, grant)
        if self._context.settings.refresh.reuse is ReusePolicy.REVOKE:
            revoked = grants.revoke(grant)
            self._current[grant.grant_id] = revoked
            self.ended.append(revoked)

    def _tell(self, kind: NoticeKind, grant: Grant) -> None:
        kept = notices.kept(self._context.settings)
        self._notices += notices.of_grant(kind, grant, at=self._now, kept=kept)


def audited(kind: str, grant: Grant, *, link_id: str | None = None) -> AuditEvent:
    """Return what is recorded of a grant."""
    return AuditEvent(
        kind=kind,
        service=grant.service,
        link_id=link_id,
        account_id=grant.account_id,
        grant_id=grant.grant_id,
        household_id=grant.household_id,
        detail={"family": grant.family, "generation": grant.generation},
    )
