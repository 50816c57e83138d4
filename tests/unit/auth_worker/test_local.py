"""Local accounts: what their names and passwords may be."""

import pytest

from auth_worker.providers.local import LONGEST_NAME, LONGEST_PASSWORD, _verify, new_user


async def test_longest_name_and_password_are_taken() -> None:
    """They can be typed like any other."""
    user = await new_user(
        service="default", name="n" * LONGEST_NAME, password="p" * LONGEST_PASSWORD, subject="user-1"
    )

    assert "n" * LONGEST_NAME == user.name


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        ("n" * (LONGEST_NAME + 1), "p" * LONGEST_PASSWORD, f"a name has 1 to {LONGEST_NAME} characters"),
        ("n", "p" * (LONGEST_PASSWORD + 1), f"a password has 8 to {LONGEST_PASSWORD} characters"),
    ],
    ids=["name", "password"],
)
async def test_longer_ones_are_refused(name: str, password: str, told: str) -> None:
    """And whoever wanted them reads how long they may be."""
    with pytest.raises(ValueError, match=f"^{told}$"):
        await new_user(service="default", name=name, password=password, subject="user-1")


async def test_a_longer_one_is_not_the_password_it_begins_with() -> None:
    """It costs what any other costs, and is wrong."""
    longest = "p" * LONGEST_PASSWORD
    user = await new_user(service="default", name="n", password=longest, subject="user-1")

    assert (True, False) == (
        await _verify(user.password_hash, longest),
        await _verify(user.password_hash, f"{longest}p"),
    )
