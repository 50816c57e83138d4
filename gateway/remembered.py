"""Remembers which tokens are genuine: the short way beside `TokenVerifier`, which takes 100 µs for a signature.

What is remembered never changes: whose signature a token bears and what it says. Whether it may be used does, and is asked anew with
every call: its age of the clock, its grant and its account of their rows (docs/decisions/0009-grants-end-in-their-rows.md). Tokens
that are not genuine are not remembered, so that nobody fills the memory with them.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from shared.domain.token import TokenClaims
from shared.keys import Jwk
from shared.tokens import TokenVerifier

MOST = 32_768
"""Tokens remembered, some 500 bytes each; the one that was not seen for longest makes room."""


class RememberingVerifier(TokenVerifier):
    """See the base class; the second time it is faster."""

    def __init__(self, public_keys: Sequence[Jwk], *, issuer: str, most: int = MOST) -> None:
        super().__init__(public_keys, issuer=issuer)
        self._most = most
        self._seen: OrderedDict[bytes, TokenClaims] = OrderedDict()

    def genuine(self, token: str) -> TokenClaims:
        """Return the claims of a genuine token."""
        # The token itself is not kept: nothing here opens anything.
        name = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        claims = self._seen.get(name)
        if claims is None:
            claims = super().genuine(token)
            self._seen[name] = claims
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(name)
        return claims
