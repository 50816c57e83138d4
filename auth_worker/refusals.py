"""Puts on record that the credentials of a household without tokens were not accepted."""

from auth_worker.context import AuthContext
from shared.messages import SessionRequested, UpgradeRequested, Verdict
from shared.storage.records import AttemptOutcome, AuditEvent

OUTCOMES = {
    Verdict.REFUSED: AttemptOutcome.REFUSED,
    Verdict.REAUTHORIZE: AttemptOutcome.REFUSED,
    Verdict.DISABLED: AttemptOutcome.NOT_ALLOWED,
    Verdict.UNSUPPORTED: AttemptOutcome.NOT_ALLOWED,
    Verdict.UNAVAILABLE: AttemptOutcome.UNAVAILABLE,
    Verdict.LIMITED: AttemptOutcome.LIMITED,
}
"""What the gateway is told -> what the audit says, as for sign-ins on a page."""


async def audit_refusal(
    message: SessionRequested | UpgradeRequested, verdict: Verdict, context: AuthContext
) -> None:
    """Write an audit event such as `session.refused`."""
    what = "session" if isinstance(message, SessionRequested) else "upgrade"
    async with context.store.transaction() as transaction:
        await transaction.audit(
            AuditEvent(
                kind=f"{what}.{OUTCOMES[verdict]}",
                service=message.service,
                household_id=message.household_id,
                detail={"provider": message.provider},
            )
        )
