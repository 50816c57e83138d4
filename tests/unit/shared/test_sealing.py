"""Sealed boxes, made alone or many at a time: only the recipient opens them, and only for the row they were made for."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from shared.sealing import MANY, Sealer, SealError, seal, unseal

PRIVATE, OTHER = bytes(PrivateKey.generate()), bytes(PrivateKey.generate())
PUBLIC = bytes(PrivateKey(PRIVATE).public_key)
SEALER = Sealer(PUBLIC)

Seal = Callable[[bytes, str], bytes]


@pytest.fixture(params=["alone", "many"], scope="module")
def sealed(request: pytest.FixtureRequest) -> Seal:
    """Either way of sealing for the same recipient."""
    if request.param == "alone":
        return lambda secret, identity: seal(secret, recipient=PUBLIC, bound_to=identity)
    return lambda secret, identity: SEALER.seal(secret, bound_to=identity)


@given(secret=st.binary(max_size=2000), identity=st.text(max_size=200))
def test_secret_comes_back(sealed: Seal, secret: bytes, identity: str) -> None:
    """Any secret, bound to any identity, opens with the private key, the retired keys beside it."""
    box = sealed(secret, identity)

    assert secret == unseal(box, private_keys=[OTHER, PRIVATE], bound_to=identity)


def test_box_shows_nothing(sealed: Seal) -> None:
    """Neither the secret nor the row's identity can be seen, and no two boxes are alike."""
    one, two = (sealed(b"canary-secret", "canary-row") for _ in range(2))

    assert b"canary" not in one + two
    assert one[-29:] != two[-29:]


@pytest.mark.parametrize("identity", ["row-2", "", "row-11", "row-"])
def test_box_of_another_row_stays_shut(sealed: Seal, identity: str) -> None:
    """A box that was copied to another row does not open there."""
    box = sealed(b"secret", "row-1")

    with pytest.raises(SealError):
        unseal(box, private_keys=[PRIVATE], bound_to=identity)


def test_box_for_somebody_else_stays_shut(sealed: Seal) -> None:
    """Without the private key there is no way in."""
    with pytest.raises(SealError):
        unseal(sealed(b"secret", "row"), private_keys=[OTHER], bound_to="row")


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_changed_box_stays_shut(sealed: Seal, at: int) -> None:
    """Wherever a bit of it was changed."""
    box = bytearray(sealed(b"secret" * 20, "row"))
    box[at] ^= 1

    with pytest.raises(SealError):
        unseal(bytes(box), private_keys=[PRIVATE], bound_to="row")


@given(begin=st.sampled_from([b"", MANY]), garbage=st.binary(max_size=300))
def test_garbage_is_refused(begin: bytes, garbage: bytes) -> None:
    """Whatever is found in place of a box is refused with the one exception."""
    garbage = begin + garbage
    with pytest.raises(SealError):
        unseal(garbage, private_keys=[PRIVATE], bound_to="row")
