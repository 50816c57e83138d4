"""Deliveries: a grant's pair, sealed for the gateways and bound to the id under which they read it."""

import msgspec

from shared.domain.account import Account
from shared.domain.grant import Grant
from shared.sealing import Sealer
from token_worker.context import TokenContext

DELIVERY_SECONDS = 300
"""How long the answer to a refresh or an upgrade can be read; whoever comes later has it made again."""


def sealer(context: TokenContext) -> Sealer:
    """Return what seals for the gateways; one for all that is sealed at a time."""
    return Sealer(context.public_keys.gateway_box[0].public)


def sealed(
    delivery_id: str, grant: Grant, account: Account, context: TokenContext, *, by: Sealer | None = None
) -> bytes:
    """Return the grant's pair, readable by the gateways alone, and under this id alone."""
    pair = msgspec.json.encode(context.mint.pair(grant, account))
    return (by or sealer(context)).seal(pair, bound_to=delivery_id)
