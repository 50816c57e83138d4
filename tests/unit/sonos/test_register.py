"""`latchkey sonos register` against a server that behaves as a player's page does."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from deploy.sonos import player

PAGE = (
    '<html><form action="/customsd" method="post"><input type="hidden" name="csrfToken" value="{token}">'
    '<input name="sid"><input name="name"></form></html>'
)


class Page(ThreadingHTTPServer):
    """A player's pages: a form with a token that is good once, and what was sent in by it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.has_token = True
        self.elsewhere: str | None = None
        self.token = 0
        self.asked: list[str] = []
        self.registered: dict[str, dict[str, list[str]]] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Page

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.token += 1
        token = f"token-{self.server.token}" if self.server.has_token else ""
        self._answer(self.server.status, PAGE.format(token=token))

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = parse_qs(body, strict_parsing=True, keep_blank_values=True)
        token, sid = fields.pop("csrfToken")[0], fields["sid"][0]
        allowed = sid in {*map(str, range(240, 254)), "255"} and token == f"token-{self.server.token}"
        if not allowed or self.path != "/customsd":
            self._answer(400, "no")
            return
        if fields.keys() == {"sid"}:
            self.server.registered.pop(sid, None)
        else:
            self.server.registered[sid] = fields
        self._answer(200, "ok")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(302 if self.server.elsewhere else status)
        if self.server.elsewhere:
            self.send_header("Location", self.server.elsewhere)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[Page]:
    with Page() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "DATABASE_URL": "sqlite+aiosqlite:////nowhere.db",
        "BROKER_URL": "memory://",
        "KEYS_DIR": "/nowhere",
        "PUBLIC_URL": "https://link.example.com",
        "SERVICES": json.dumps({"default": {"title": "Ann's & Bob's"}, "talk": {"auth": "session_id"}}),
    }.items():
        monkeypatch.setenv(f"LATCHKEY_{name}", value)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["sonos", *arguments])


def register(page: Page, folder: Path, *more: str) -> Result:
    return run("register", f"127.0.0.1:{page.server_port}", "--export", str(folder), *more)


def test_service_is_registered_and_removed(page: Page, tmp_path: Path) -> None:
    """Every field of the form, with the versions that were exported; then it is taken off again."""
    assert 0 == run("export", str(tmp_path)).exit_code
    result = register(page, tmp_path, "--sid", "242", "--cap", "search")
    registered = dict(page.registered)
    removed = register(page, tmp_path, "--sid", "242", "--remove")

    assert (0, "registered Ann's & Bob's as service 242 in the system of 127.0.0.1\n") == (
        result.exit_code,
        result.output,
    )
    assert {
        "242": {
            "sid": ["242"],
            "name": ["Ann's & Bob's"],
            "uri": ["https://link.example.com/smapi"],
            "secureUri": ["https://link.example.com/smapi"],
            "pollInterval": ["60"],
            "authType": ["AppLink"],
            "stringsVersion": ["1"],
            "stringsUri": ["https://link.example.com/sonos/strings.xml"],
            "presentationMapVersion": ["1"],
            "presentationMapUri": ["https://link.example.com/sonos/presentationmap.xml"],
            "containerType": ["MService"],
            "caps": ["logging", "search"],
        }
    } == registered
    assert (0, {}) == (removed.exit_code, page.registered)
    assert ["/customsd.htm", "/customsd"] * 2 == page.asked


def test_another_service_has_its_own_endpoint_and_kind(page: Page, tmp_path: Path) -> None:
    """As its settings say."""
    run("export", str(tmp_path), "--service", "talk")
    register(page, tmp_path, "--service", "talk")

    assert [["https://link.example.com/smapi/talk"], ["UserId"]] == [
        page.registered["255"][name] for name in ("uri", "authType")
    ]


def test_player_of_s2_has_no_form(page: Page, tmp_path: Path) -> None:
    """It answers 403, or without a token; the message says where to register instead. Nothing is sent."""
    run("export", str(tmp_path))
    page.status = 403
    refused = register(page, tmp_path)
    page.status, page.has_token = 200, False
    empty = register(page, tmp_path)

    assert [2, 2] == [refused.exit_code, empty.exit_code]
    assert all("Developer Portal" in result.output for result in (refused, empty))
    assert ["/customsd.htm"] * 2 == page.asked


def test_nothing_goes_to_another_address(page: Page, tmp_path: Path) -> None:
    """A player that sends elsewhere is not followed."""
    run("export", str(tmp_path))
    with Page() as other:
        page.elsewhere = f"http://127.0.0.1:{other.server_port}/customsd.htm"
        result = register(page, tmp_path)

    assert (2, []) == (result.exit_code, other.asked)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--sid", "12"), "players take 240 to 253, and 255"),
        ((), "nothing was exported"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_sent(
    page: Page, tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    """Each with the way out."""
    result = register(page, tmp_path, *arguments)

    assert (2, []) == (result.exit_code, page.asked)
    assert complaint in result.output


def test_nobody_at_that_address(tmp_path: Path) -> None:
    """The message asks for the address."""
    run("export", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = run("register", f"127.0.0.1:{taken.getsockname()[1]}", "--export", str(tmp_path))

    assert 2 == result.exit_code
    assert "no player answers" in result.output


@pytest.mark.parametrize("address", ["", "http://a", "a/customsd", "a?b", "a#b", "u@a", "a:b", "a b"])
def test_address_of_a_player_is_a_host_alone(address: str) -> None:
    """Everything else is refused before anything is sent."""
    with pytest.raises(ValueError, match="the player's address alone"):
        player.player(address)


@pytest.mark.parametrize(
    ("address", "page_url"),
    [
        ("192.168.1.20", "http://192.168.1.20:1400/customsd.htm"),
        ("player.lan:8000", "http://player.lan:8000/customsd.htm"),
        ("[fe80::1]", "http://[fe80::1]:1400/customsd.htm"),
    ],
)
def test_pages_of_a_player(address: str, page_url: str) -> None:
    """On port 1400 unless another is written."""
    assert page_url == str(player.player(address).page)
