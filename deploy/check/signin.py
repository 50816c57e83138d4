"""The person who signs in: with a browser, by a scripted form, or by a word of the service's own app."""

import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlsplit

import aiohttp

from deploy.check.client import Clock
from deploy.check.forms import Form, Page, read_page

MOST_PAGES = 20
MOST_TRIES = 3
"""Of typing the same code: the page may be quicker than whoever writes the code down."""


class NotSignedIn(Exception):
    """It could not be done; the message says how far it got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What Sonos remembers between asking for a link and the polls."""

    reg_url: str
    code: str = field(repr=False)
    device_id: str | None = field(repr=False)
    is_shown: bool


class SignIn(Protocol):
    """Completes a link, as far as that is up to the person."""

    @property
    def patience(self) -> float:
        """Return after how many seconds the polls are given up."""
        ...

    @property
    def repeatable(self) -> bool:
        """Tell whether it may be asked to do it again without bothering anybody."""
        ...

    async def complete(self, link: Link) -> None:
        """Sign in and allow.

        Raises:
            NotSignedIn: it could not be done.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ByBrowser:
    """Somebody sits in front of this: the page is opened, and printed for those without a browser here."""

    say: Callable[[str], None]
    opens: bool = True
    patience: float = 480.0
    repeatable: bool = False

    async def complete(self, link: Link) -> None:
        """Show where to sign in."""
        self.say(f"Sign in and allow here: {link.reg_url}")
        if link.is_shown:
            self.say(f"Type the code {link.code} when asked for it.")
        if self.opens:
            webbrowser.open(link.reg_url)


@dataclass(frozen=True, kw_only=True)
class ByForm:
    """Fills in the service's own pages, which have to work without scripts for this."""

    http: Callable[[], aiohttp.ClientSession]
    """Makes a browser that nobody has used."""
    clock: Clock
    name: str = ""
    password: str = field(default="", repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: float = 30.0
    repeatable: bool = True

    async def complete(self, link: Link) -> None:
        """Follow forms until there is none that leads on."""
        async with self.http() as http:
            try:
                await _Walk(self, http, link).run()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise NotSignedIn(
                    f"{urlsplit(link.reg_url).netloc}: {error or type(error).__name__}"
                ) from None


class _Walk:
    def __init__(self, person: ByForm, http: aiohttp.ClientSession, link: Link) -> None:
        self.person, self.http, self.link = person, http, link
        self.sent: list[str] = []

    async def run(self) -> None:
        page = await self._open("get", self.link.reg_url, {})
        for _ in range(MOST_PAGES):
            form = page.next_form()
            if form is not None:
                await self._consider(form, page)
                page = await self._submit(form)
            elif page.refresh is not None and page.refresh[1].startswith("http"):
                await self.person.clock.sleep(min(page.refresh[0], 2.0))
                page = await self._open("get", page.refresh[1], {})
            elif self.sent:
                return
            else:
                raise NotSignedIn(f"the page has no form to sign in with; it says: {page.text[:120]}")
        raise NotSignedIn(f"no end after {MOST_PAGES} pages")

    async def _consider(self, form: Form, page: Page) -> None:
        """Refuse to send a form again, but for a code that may not have been there yet."""
        tries = self.sent.count(form.action)
        self.sent.append(form.action)
        if tries and form.has_password:
            raise NotSignedIn(f"the sign-in was not accepted; the page says: {page.text[:160]}")
        if tries >= MOST_TRIES:
            raise NotSignedIn(f"the form comes back again and again; the page says: {page.text[:160]}")
        if tries:
            await self.person.clock.sleep(0.5)

    async def _submit(self, form: Form) -> Page:
        person = self.person
        values = form.filled(
            {key: value.replace("{linkCode}", self.link.code) for key, value in person.fields.items()},
            name=person.name or person.fields.get("name", ""),
            password=person.password or person.fields.get("password", ""),
            link_code=self.link.code,
        )
        return await self._open(form.method, form.action, values)

    async def _open(self, method: str, url: str, values: Mapping[str, str]) -> Page:
        where = {"data": values} if method == "post" else {"params": values} if values else {}
        timeout = aiohttp.ClientTimeout(total=30)
        async with self.http.request(method, url, timeout=timeout, **where) as response:  # type: ignore[arg-type]
            text = (await response.content.read(1024 * 1024)).decode(response.charset or "utf-8", "replace")
            return read_page(text, str(response.url), refresh=response.headers.get("Refresh", ""))


@dataclass(frozen=True, kw_only=True)
class ByApproval:
    """Plays the service's own app, where somebody is signed in already: Latchkey's `POST /api/links/{linkCode}/approve`."""

    http: Callable[[], aiohttp.ClientSession]
    endpoint: str
    key: str = field(repr=False)
    """The person's access token or, with a subject, the back end's API key."""
    subject: str | None
    patience: float = 30.0
    repeatable: bool = True

    async def complete(self, link: Link) -> None:
        """Say who approves."""
        parts = urlsplit(self.endpoint)
        url = f"{parts.scheme}://{parts.netloc}/api/links/{quote(link.code, safe='')}/approve"
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            async with (
                self.http() as http,
                http.post(
                    url,
                    json=None if self.subject is None else {"subject": self.subject},
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=30),
                ) as response,
            ):
                status, text = response.status, (await response.text())[:160]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSignedIn(f"the approval was not answered: {error or type(error).__name__}") from None
        if status >= 300:
            raise NotSignedIn(f"the approval was answered with HTTP {status}: {text}")
