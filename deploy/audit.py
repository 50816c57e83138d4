"""What `latchkey audit` does: verifies the chain over the audit log, a bounded part at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from shared import bootstrap, keys
from shared.domain.audit_chain import Seal, faults, statement
from shared.settings import Settings
from shared.signatures import Forged, Signatures, Unfamiliar
from shared.storage.base import TokenStore

SEALS_AT_A_TIME = 20


@dataclass(kw_only=True)
class Verified:
    """What the verification came to."""

    seals: int = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)
    last: Seal | None = None

    @property
    def head(self) -> str | None:
        """Return the digest that stands for the whole log up to its last seal."""
        return self.last.digest if self.last else None


async def verify(settings: Settings, *, expected: Sequence[str]) -> AsyncIterator[Verified]:
    """Verify the chain from its beginning; yields what was found so far, again and again, and all of it in the end.

    Args:
        expected: digests noted earlier; one that no seal has is a fault.

    Raises:
        KeysError: the public key file cannot be read.
        StoreUnavailable: the database does not answer.
    """
    signatures = Signatures(keys.read(settings.keys_dir, keys.PublicKeys).signing)
    verified, missing = Verified(), set(expected)
    async with bootstrap.open_token_store(settings) as store:
        while seals := await _seals(store, verified.last.seal_id if verified.last else 0):
            for seal in seals:
                await _verify_one(store, seal, verified, signatures, deleted=settings.retention.audit)
                missing.discard(seal.digest)
            yield verified
    verified.faults += [
        f"no seal has the digest {digest}: the log was written anew" for digest in sorted(missing)
    ]
    yield verified


async def _seals(store: TokenStore, after: int) -> Sequence[Seal]:
    async with store.transaction() as transaction:
        return await transaction.seals(after=after, limit=SEALS_AT_A_TIME)


async def _verify_one(
    store: TokenStore, seal: Seal, verified: Verified, signatures: Signatures, *, deleted: int
) -> None:
    previous = verified.last
    async with store.transaction() as transaction:
        events = await transaction.recorded(
            after=previous.last_event_id if previous else 0, until=seal.last_event_id, limit=seal.events + 1
        )
        now = transaction.now
    verified.faults += faults(
        previous,
        seal,
        events,
        is_signed=_is_signed(seal, signatures),
        deleted_before=now - deleted,
    )
    verified.seals, verified.events, verified.last = verified.seals + 1, verified.events + len(events), seal


def _is_signed(seal: Seal, signatures: Signatures) -> bool:
    try:
        return signatures.payload(seal.signature) == statement(seal)
    except (Unfamiliar, Forged):
        return False
