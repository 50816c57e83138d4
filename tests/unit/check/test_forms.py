"""The person who fills in forms finds the ones that lead on."""

import pytest

from deploy.check.forms import Form, read_page


def form(html: str) -> Form | None:
    return read_page(html, "https://example.com/a/page").next_form()


PASSWORD = '<form method="post" action="in"><input type="hidden" name="t" value="1"><input name="email" type="email"><input name="pw" type="password"><button>Go</button></form>'
DECLINE = '<form method="post" action="/decline"><button>Decline</button></form>'
ALLOW = '<form method="post" action="/approve"><button>Allow</button></form>'
CODE = '<form action="enter"><input name="user_code"><button>Go on</button></form>'
BOTH = '<form method="POST" action=""><button name="d" value="no">Deny</button><button name="d" value="yes">Allow</button></form>'
SEARCH = '<form action="/search"><input name="q"><button>Search</button></form>'
REGISTER = (
    '<form action="/register"><input name="q"><button>Create account and continue to sign up</button></form>'
)


@pytest.mark.parametrize(
    ("html", "action"),
    [
        (SEARCH + DECLINE + PASSWORD, "https://example.com/a/in"),
        (DECLINE + ALLOW, "https://example.com/approve"),
        (SEARCH + CODE, "https://example.com/a/enter"),
        (BOTH, "https://example.com/a/page"),
        (DECLINE + SEARCH + REGISTER, None),
        ("<h1>Done</h1>", None),
    ],
)
def test_form_that_leads_on(html: str, action: str | None) -> None:
    """The password first, then a code, then a yes; never a no, a search, or a sign-up."""
    found = form(html)

    assert action == (found.action if found else None)


@pytest.mark.parametrize(
    ("html", "given", "sent"),
    [
        (PASSWORD, {}, {"t": "1", "email": "ann", "pw": "secret"}),
        (PASSWORD, {"email": "other", "unknown": "x"}, {"t": "1", "email": "other", "pw": "secret"}),
        (CODE, {}, {"user_code": "BCD"}),
        (BOTH, {}, {"d": "yes"}),
    ],
)
def test_what_is_typed(html: str, given: dict[str, str], sent: dict[str, str]) -> None:
    """Hidden fields stay, what was given by name goes first, and the button is the one that says yes."""
    found = form(html)
    assert found is not None

    assert sent == found.filled(given, name="ann", password="secret", link_code="BCD")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("2", (2.0, "https://example.com/a/page")),
        ("0; url=/next?x=1", (0.0, "https://example.com/next?x=1")),
        ("2;URL='sonos://x'", (2.0, "sonos://x")),
        ("soon", None),
    ],
)
def test_page_that_goes_on_by_itself(content: str, expected: tuple[float, str] | None) -> None:
    """As browsers read it."""
    url = "https://example.com/a/page"
    by_tag = read_page(f'<meta http-equiv="refresh" content="{content}"><p>x', url)
    by_header = read_page("<p>x", url, refresh=content)

    assert (expected, expected) == (by_tag.refresh, by_header.refresh)
