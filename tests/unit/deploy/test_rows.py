"""What changed between two looks at a household's rows."""

from deploy.playground.rows import changes
from shared.storage.household import Rows

LINK = {"link_id": "l", "state": "requested", "account_id": None, "version": 1}
ACCOUNT = {"account_id": "a", "nickname": "ann", "status": "active"}


def labels(before: Rows, after: Rows) -> list[str]:
    return [change.label for change in changes(before, after)]


def test_rows_come_change_and_go() -> None:
    """In the words of their tables; what tells most stands in the label."""
    before: Rows = {("links", "l"): LINK, ("deliveries", "d"): {"delivery_id": "d", "sealed": b"x" * 9}}
    after: Rows = {
        ("links", "l"): LINK | {"state": "authenticated", "account_id": "a", "version": 2},
        ("accounts", "a"): ACCOUNT,
    }
    texts = [change.text for change in changes(before, after)]

    assert ["links: state requested → authenticated", "+ accounts active", "- deliveries"] == labels(
        before, after
    )
    assert "account_id  None → a" in texts[0]
    assert "sealed       sealed, 9 bytes" in texts[2]


def test_other_accounts_are_nobodys_business() -> None:
    """An account is shown to whoever signed in with it, when it is new."""
    signed_in: Rows = {("links", "l"): LINK | {"account_id": "a"}, ("accounts", "a"): ACCOUNT}

    assert [] == labels({}, {("accounts", "a"): ACCOUNT})
    assert ["links: account_id"] == labels({("links", "l"): LINK, ("accounts", "a"): ACCOUNT}, signed_in)
