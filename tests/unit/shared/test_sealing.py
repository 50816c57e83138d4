"""Sealed boxes: only the recipient opens them, and only for the row they were made for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from shared.sealing import SealError, seal, unseal

PRIVATE, OTHER = bytes(PrivateKey.generate()), bytes(PrivateKey.generate())
PUBLIC = bytes(PrivateKey(PRIVATE).public_key)


@given(secret=st.binary(max_size=2000), identity=st.text(max_size=200))
def test_secret_comes_back(secret: bytes, identity: str) -> None:
    """Any secret, bound to any identity, opens with the private key, the retired keys beside it."""
    box = seal(secret, recipient=PUBLIC, bound_to=identity)

    assert secret == unseal(box, private_keys=[OTHER, PRIVATE], bound_to=identity)


def test_box_shows_nothing() -> None:
    """Neither the secret nor the row's identity can be seen, and no two boxes are alike."""
    one, two = (seal(b"canary-secret", recipient=PUBLIC, bound_to="canary-row") for _ in range(2))

    assert b"canary" not in one + two
    assert one != two


@pytest.mark.parametrize("identity", ["row-2", "", "row-11", "row-"])
def test_box_of_another_row_stays_shut(identity: str) -> None:
    """A box that was copied to another row does not open there."""
    box = seal(b"secret", recipient=PUBLIC, bound_to="row-1")

    with pytest.raises(SealError):
        unseal(box, private_keys=[PRIVATE], bound_to=identity)


def test_box_for_somebody_else_stays_shut() -> None:
    """Without the private key there is no way in."""
    with pytest.raises(SealError):
        unseal(seal(b"secret", recipient=PUBLIC, bound_to="row"), private_keys=[OTHER], bound_to="row")


@given(garbage=st.binary(max_size=300))
def test_garbage_is_refused(garbage: bytes) -> None:
    """Whatever is found in place of a box is refused with the one exception."""
    with pytest.raises(SealError):
        unseal(garbage, private_keys=[PRIVATE], bound_to="row")
