"""The pair that a grant's numbers stand for: made again at any time, stored never."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from shared.boxes import Pair
from shared.domain.account import Account, user_id_hash_code
from shared.domain.grant import Grant, MintingKeys
from shared.domain.token import SENTINEL, TokenClaims
from shared.keys import Secret, TokenWorkerKeys
from shared.settings import Settings
from shared.tokens import sign

_SENTINEL_HASH = hashlib.sha256(SENTINEL.encode()).hexdigest()


class KeyGone(Exception):
    """The key with which a grant's pair was made is no longer in the key file; restore it, or let households link again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """Makes pairs with this process's keys."""

    keys: TokenWorkerKeys
    issuer: str
    sentinel: bool

    @classmethod
    def of(cls, keys: TokenWorkerKeys, settings: Settings) -> "Mint":
        """Return the mint that the settings describe."""
        sentinel = settings.tokens.private_key == "sentinel" or not settings.tokens.kind.refreshes
        return cls(keys=keys, issuer=settings.issuer, sentinel=sentinel)

    @property
    def current(self) -> MintingKeys:
        """Return the ids of the keys that new pairs are made with."""
        return MintingKeys(
            signing_key_id=self.keys.signing[0].jwk["kid"], derivation_key_id=self.keys.derivation[0].id
        )

    def pair(self, grant: Grant, account: Account) -> Pair:
        """Return the pair of the grant's present generation; always the same for the same row.

        Raises:
            KeyGone: the row names a key that this process does not have.
        """
        return Pair(
            auth_token=self._auth_token(grant),
            private_key=self._private_key(grant),
            user_id_hash_code=user_id_hash_code(account.account_id),
            nickname=account.nickname,
            tier=account.tier,
        )

    def is_no_key(self, key_hash: str) -> bool:
        """Tell whether it is the sentinel, from before this service had keys: it says what sending no key says."""
        return not self.sentinel and key_hash == _SENTINEL_HASH

    def is_key_of(self, key_hash: str, *, grant_id: str, family: int, generation: int) -> bool:
        """Tell whether *key_hash* (SHA-256, hex) is that of the privateKey of this generation.

        The row remembers only the present generation's key, so each derivation key is tried.
        """
        if self.sentinel:
            return True
        right = False
        for secret in self.keys.derivation:
            private_key = derive_private_key(secret, grant_id=grant_id, family=family, generation=generation)
            expected = hashlib.sha256(private_key.encode()).hexdigest()
            right |= hmac.compare_digest(expected, key_hash)
        return right

    def _auth_token(self, grant: Grant) -> str:
        key = next((key for key in self.keys.signing if key.jwk["kid"] == grant.signing_key_id), None)
        if key is None:
            raise KeyGone(f"signing key {grant.signing_key_id!r}")
        claims = TokenClaims(
            issuer=self.issuer,
            service=grant.service,
            account_id=grant.account_id,
            grant_id=grant.grant_id,
            family=grant.family,
            generation=grant.generation,
            issued_at=grant.issued_at,
            expires_at=grant.expires_at,
        )
        return sign(claims, key)

    def _private_key(self, grant: Grant) -> str:
        if self.sentinel:
            return SENTINEL
        secret = next((key for key in self.keys.derivation if key.id == grant.derivation_key_id), None)
        if secret is None:
            raise KeyGone(f"derivation key {grant.derivation_key_id!r}")
        return derive_private_key(
            secret, grant_id=grant.grant_id, family=grant.family, generation=grant.generation
        )


def derive_private_key(secret: Secret, *, grant_id: str, family: int, generation: int) -> str:
    """Return the privateKey of one generation: a letter, the key's id, and an HMAC-SHA256 in base 32 (57 characters)."""
    message = f"privateKey\0{grant_id}\0{family}\0{generation}".encode()
    digest = hmac.digest(secret.secret, message, "sha256")
    return f"p{secret.id}{base64.b32encode(digest).decode().rstrip('=').lower()}"
