"""What token_worker's handlers are given."""

from dataclasses import dataclass, field

from shared.context import Context
from shared.keys import TokenWorkerKeys
from shared.storage.base import TokenStore
from token_worker.minting import Mint
from token_worker.recently import Rechecks


@dataclass(frozen=True, kw_only=True)
class TokenContext(Context[TokenStore, TokenWorkerKeys]):
    """The context of token_worker, with the mint."""

    mint: Mint
    rechecks: Rechecks = field(default_factory=Rechecks)
