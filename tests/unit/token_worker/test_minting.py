"""Minting: the same row always gives the same pair."""

import hashlib
import re
from dataclasses import replace

import pytest

from shared import keys
from shared.context import SystemRandom
from shared.domain.account import Account, AccountTier, user_id_hash_code
from shared.domain.grant import Grant, GrantStatus
from shared.domain.token import SENTINEL, TokenClaims
from shared.settings import load
from shared.tokens import TokenVerifier
from token_worker.minting import KeyGone, Mint, derive_private_key

SETS = [keys.create(SystemRandom().token_bytes) for _ in range(2)]
OLD, NEW = (each.token_worker for each in SETS)
ROTATED = keys.TokenWorkerKeys(
    signing=(*NEW.signing, *OLD.signing), derivation=(*NEW.derivation, *OLD.derivation)
)
ACCOUNT = Account(account_id="account", service="default", provider="local", subject="ann", nickname="Ann")


def mint(own: keys.TokenWorkerKeys, *, sentinel: bool = False) -> Mint:
    return Mint(keys=own, issuer="link.example.com", sentinel=sentinel)


def grant_of(own: keys.TokenWorkerKeys) -> Grant:
    return Grant(
        grant_id="grant",
        service="default",
        account_id="account",
        household_id="Sonos_household",
        status=GrantStatus.ACTIVE,
        family=1,
        generation=7,
        signing_key_id=own.signing[0].jwk["kid"],
        derivation_key_id=own.derivation[0].id,
        issued_at=1_790_000_000,
        expires_at=1_790_003_600,
        seen_generation=7,
        family_started_at=1_790_000_000,
        used_at=1_790_000_000,
    )


def key_hash(private_key: str) -> str:
    return hashlib.sha256(private_key.encode()).hexdigest()


def test_same_row_gives_the_same_pair_after_rotation() -> None:
    """A row remembers its keys: what it stands for outlives the next key."""
    before = mint(OLD).pair(grant_of(OLD), ACCOUNT)

    assert before == mint(ROTATED).pair(grant_of(OLD), ACCOUNT)


def test_new_rows_use_the_first_key() -> None:
    """The first key of the file is the one in use."""
    assert NEW.signing[0].jwk["kid"] == mint(ROTATED).current.signing_key_id


def test_row_of_a_lost_key_is_an_error_not_another_pair() -> None:
    """Without its key a pair cannot be made again; inventing another would break the family."""
    old = grant_of(OLD)
    with pytest.raises(KeyGone, match=f"^signing key '{old.signing_key_id}'$"):
        mint(NEW).pair(old, ACCOUNT)
    with pytest.raises(KeyGone, match=f"^derivation key '{old.derivation_key_id}'$"):
        mint(NEW).pair(replace(old, signing_key_id=grant_of(NEW).signing_key_id), ACCOUNT)


def test_private_key_is_safe_for_every_client() -> None:
    """Letters and digits, first a letter, well below Sonos's 2048."""
    pair = mint(OLD).pair(grant_of(OLD), ACCOUNT)

    assert re.fullmatch(r"p[a-z2-7]{56}", pair.private_key)


RETIRING = keys.TokenWorkerKeys(signing=OLD.signing, derivation=(*OLD.derivation, *NEW.derivation))


@pytest.mark.parametrize("own", [OLD, ROTATED, RETIRING], ids=["same key", "after rotation", "first of two"])
def test_right_key_is_recognised(own: keys.TokenWorkerKeys) -> None:
    """The privateKey of a generation is known by its hash, also after the derivation key was rotated."""
    pair = mint(OLD).pair(grant_of(OLD), ACCOUNT)

    assert mint(own).is_key_of(key_hash(pair.private_key), grant_id="grant", family=1, generation=7)


@pytest.mark.parametrize("other", [{"generation": 6}, {"family": 2}, {"grant_id": "another"}])
def test_key_of_another_generation_is_refused(other: dict[str, int | str]) -> None:
    """A privateKey belongs to one grant, family and generation."""
    pair = mint(OLD).pair(replace(grant_of(OLD), **other), ACCOUNT)  # type: ignore[arg-type]

    assert not mint(OLD).is_key_of(key_hash(pair.private_key), grant_id="grant", family=1, generation=7)


def test_sentinel_is_sonos_own_word() -> None:
    """With the sentinel every key is accepted, since none says anything."""
    minted = mint(OLD, sentinel=True)

    assert SENTINEL == minted.pair(grant_of(OLD), ACCOUNT).private_key
    assert minted.is_key_of(key_hash("anything"), grant_id="grant", family=1, generation=7)


def test_sentinel_from_before_counts_as_no_key() -> None:
    """A service that has keys now does not take the old word for a wrong one; the sentinel service has nothing to compare."""
    assert mint(OLD).is_no_key(key_hash(SENTINEL))
    assert not mint(OLD).is_no_key(key_hash("another"))
    assert not mint(OLD, sentinel=True).is_no_key(key_hash(SENTINEL))


def test_pair_says_what_grant_and_account_say() -> None:
    """Token, key and person: each value from its place."""
    grant, account = grant_of(OLD), replace(ACCOUNT, tier=AccountTier.FREE)
    pair = mint(OLD).pair(grant, account)
    verifier = TokenVerifier(SETS[0].public.signing, issuer="link.example.com")
    claims = TokenClaims(
        issuer="link.example.com",
        service="default",
        account_id="account",
        grant_id="grant",
        family=1,
        generation=7,
        issued_at=1_790_000_000,
        expires_at=1_790_003_600,
    )

    assert claims == verifier.verify(pair.auth_token, service="default")
    assert ("Ann", AccountTier.FREE, user_id_hash_code("account")) == (
        pair.nickname,
        pair.tier,
        pair.user_id_hash_code,
    )

    assert 32 == len(pair.user_id_hash_code)


@pytest.mark.parametrize(
    ("tokens", "sentinel"),
    [
        ({}, False),
        ({"private_key": "sentinel"}, True),
        ({"kind": "reauthenticate"}, True),
        ({"kind": "permanent"}, True),
    ],
)
def test_mint_is_as_the_settings_say(tokens: dict[str, str], sentinel: bool) -> None:
    """Keys are of use only where a token is refreshed."""
    settings = load(
        database_url="sqlite+aiosqlite:///none.db",
        broker_url="memory://",
        keys_dir="keys",
        public_url="https://link.example.com",
        tokens=tokens,
    )

    assert Mint(keys=OLD, issuer="link.example.com", sentinel=sentinel) == Mint.of(OLD, settings)
    assert (settings.issuer, OLD.derivation[0].id) == (
        "link.example.com",
        Mint.of(OLD, settings).current.derivation_key_id,
    )


def test_private_keys_are_those_of_yesterday() -> None:
    """What a household holds has to be known after an update."""
    secret = keys.Secret(id="a", secret=b"k" * 32)

    assert "paug4uwxiecg6qz4uafjzs4qnmeqbsm4rh73ni53clot7mdehihwma" == derive_private_key(
        secret, grant_id="grant", family=1, generation=7
    )
