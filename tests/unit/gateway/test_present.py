"""What pages say of a link."""

from dataclasses import replace

import pytest

from gateway.pages import present
from shared.domain.link import Device, Link, LinkState
from shared.settings import AudiobookshelfProviderSettings, LocalProviderSettings, ServiceSettings
from shared.storage.records import AttemptOutcome, LinkView, LoginAttempt

NOW = 1_790_000_000
LINK = Link(
    link_id="link",
    service="default",
    state=LinkState.REQUESTED,
    household_id="Sonos_2ZLtEJUN38KttgBMoESCwBpBHD_7d55e99",
    device=Device(hardware="iPhone17,5", app_name="ICRU_iPhone17,5"),
    callback_path="sonos-2://x-callback-url/addAccount?state=intId%3Dnet%2Eexample",
    requested_at=NOW - 130,
    expires_at=NOW + 470,
)


def view(state: LinkState = LinkState.REQUESTED, *, browser: str | None = None, attempts=()) -> LinkView:
    link = replace(LINK, state=state, browser=browser)
    return LinkView(link=link, account=None, attempts=tuple(attempts), now=NOW)


def attempt(number: int, outcome: AttemptOutcome = AttemptOutcome.REFUSED) -> LoginAttempt:
    return LoginAttempt(link_id="link", submission_id=f"s{number}", outcome=outcome)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, "waiting"),
        (view(), "sign_in"),
        (view(LinkState.AUTHENTICATED, browser="me"), "confirm"),
        (view(LinkState.AUTHENTICATED, browser="another"), "taken"),
        (view(LinkState.LINKED, browser="me"), "done"),
        (view(LinkState.LINKED, browser="another"), "taken"),
        (view(LinkState.DECLINED), "declined"),
        (view(LinkState.FAILED), "failed"),
        (LinkView(link=LINK, account=None, attempts=(), now=LINK.expires_at), "expired"),
    ],
)
def test_page_follows_the_state(seen: LinkView | None, expected: str) -> None:
    """Each state has its page, and another browser's link shows nothing of it."""
    assert expected == present.page_of(seen, browser="me", submission=None, approved=False)


def test_attempt_that_is_not_judged_waits() -> None:
    """Until auth_worker has spoken the page waits; then it shows the form again, with the problem."""
    pending = present.page_of(view(), browser="me", submission="s1", approved=False)
    judged = present.page_of(view(attempts=[attempt(1)]), browser="me", submission="s1", approved=False)

    assert ("waiting", "sign_in") == (pending, judged)


def test_approval_that_is_not_done_waits() -> None:
    """After "Allow" the page waits for the token to be minted."""
    mine = view(LinkState.AUTHENTICATED, browser="me")

    assert "waiting" == present.page_of(mine, browser="me", submission=None, approved=True)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([attempt(1)], "You have 4 more tries."),
        ([attempt(1), attempt(2), attempt(3), attempt(4)], "You have one more try."),
    ],
)
def test_wrong_password_says_how_many_tries_are_left(attempts: list[LoginAttempt], expected: str) -> None:
    """Nobody is surprised by a burnt link."""
    problem = present.sign_in_problem(view(attempts=attempts), submission="s1", limit=5, provider="Navidrome")

    assert problem is not None
    assert expected in problem


def test_unavailable_source_is_told_apart() -> None:
    """An outage is not blamed on the person, and costs no try."""
    seen = view(attempts=[attempt(1, AttemptOutcome.UNAVAILABLE)])

    assert "could not check" in (
        present.sign_in_problem(seen, submission="s1", limit=5, provider="Navidrome") or ""
    )


@pytest.mark.parametrize(
    "path",
    [
        "sonos://x-callback-url/addAccount",
        "sonos-2://x-callback-url/addAccount?state=iid%3Dx%26hhid%3DSonos_a.b%26callbackPath%3D%2FaddAccount",
    ],
)
def test_way_back_is_verbatim(path: str) -> None:
    """Sonos's own addresses go out exactly as they came in."""
    assert path == present.way_back(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/addAccount",
        "https://evil.example",
        "javascript:alert(1)",
        "sonos:alert(1)",
        "sonos-3://x",
        "xsonos://x",
        "sonos://x y",
        "sonos://x\nSet-Cookie: a=b",
        " sonos://x",
        "sonos://" + "x" * 2049,
    ],
)
def test_any_other_way_back_is_dropped(path: str) -> None:
    """Only the schemes of Sonos's apps, and only what an address may hold."""
    assert present.way_back(path) is None


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device(hardware="iPhone17,5", app_name="ICRU_iPhone17,5"), "an iPhone"),
        (
            Device(hardware="Google:sunfish:Pixel 4a", app_name="ACR_:Google:sunfish:Pixel 4a"),
            "an Android phone",
        ),
        (Device(hardware="Windows", app_name="Sonos"), "a Windows computer"),
        (Device(), "a device that did not say what it is"),
    ],
)
def test_device_is_named_as_people_know_it(device: Device, expected: str) -> None:
    """From what Sonos's apps were seen to send."""
    assert expected == present.asker(replace(LINK, device=device), NOW).device


def test_request_is_described() -> None:
    """The system by the end of its id, without the account's suffix; the age in minutes."""
    asker = present.asker(LINK, NOW)

    assert ("PBHD", "2 minutes ago") == (asker.system, asker.age)


LOCAL, OTHER = LocalProviderSettings(), LocalProviderSettings(title="The library")


@pytest.mark.parametrize(
    ("providers", "asked", "expected"),
    [
        ({"local": LOCAL}, None, "local"),
        ({"local": LOCAL, "other": OTHER}, None, None),
        ({"local": LOCAL, "other": OTHER}, "other", "other"),
        ({"local": LOCAL, "other": OTHER}, "nobody", None),
    ],
)
def test_form_of_a_provider(providers, asked: str | None, expected: str | None) -> None:
    """With one provider its form is shown at once; with several the person chooses, and may choose only from them."""
    assert expected == present.chosen(providers, asked)


def test_choice_is_offered_only_where_there_is_one() -> None:
    """One provider is no choice; several are offered by title, or by the service's where they have none."""
    service = ServiceSettings(title="Hoerfunk")

    def address(name: str) -> str:
        return f"/link/code?with={name}"

    alone = present.choices({"local": LOCAL}, service, address)
    both = present.choices({"local": LOCAL, "other": OTHER}, service, address)

    assert () == alone
    assert [("Hoerfunk", "/link/code?with=local"), ("The library", "/link/code?with=other")] == [
        (choice.title, choice.address) for choice in both
    ]


def test_servers_without_a_title_can_be_told_apart() -> None:
    """Where there are several, by their names; a single one goes by the service's title."""
    service = ServiceSettings(title="Hoerfunk")
    books = AudiobookshelfProviderSettings(type="audiobookshelf", url="https://books.example.com")
    alone = present.title({"my-books": books}, "my-books", service)
    beside = present.title({"local": LOCAL, "my-books": books}, "my-books", service)

    assert ("Hoerfunk", "My books") == (alone, beside)


@pytest.mark.parametrize(
    ("asked_from", "here", "words"),
    [
        ("net-1", ["net-1"], "the network that this device is on"),
        ("net-1", ["by the new key", "net-1"], "the network that this device is on"),
        ("net-1", ["net-2"], "another network than this device is on"),
        (None, ["net-1"], None),
        ("net-1", [None], None),
        (None, [None], None),
        ("net-1", [], None),
    ],
)
def test_networks_are_compared_where_both_are_known(
    asked_from: str | None, here: list[str | None], words: str | None
) -> None:
    """A hint for people: what is not known is not said."""
    said = present.asker(replace(LINK, network=asked_from), NOW, networks=here).network

    assert (said is None) if words is None else (said or "").startswith(words)


def test_attempt_that_nobody_looked_at_is_told_apart() -> None:
    """Only this browser's own last attempt counts."""
    limited = view(attempts=[attempt(1), attempt(2, AttemptOutcome.LIMITED)])

    assert [False, True, False] == [present.is_limited(limited, each) for each in ("s1", "s2", None)]
    assert None is present.sign_in_problem(limited, submission="s2", limit=5, provider="x")


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "a minute"), (60, "a minute"), (61, "2 minutes"), (1800, "30 minutes")]
)
def test_time_to_wait_is_told_in_minutes(seconds: int, words: str) -> None:
    """Rounded up, so that nobody comes back too early."""
    assert f"Please wait {words} and try again." == present.too_many(seconds)
