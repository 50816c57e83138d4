"""The edges of the gateway: what is not SMAPI, not known, too large, or not ready."""

import json
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from tests.e2e.conftest import started
from tests.play.operator import System
from tests.play.ports import free_port
from tests.play.sonos import SMAPI, Sonos


async def test_people_get_a_page(running: System, http: aiohttp.ClientSession) -> None:
    """Whoever opens the endpoint in a browser is told what it is."""
    async with http.get(running.endpoint) as response:
        text = await response.text()

    assert (200, "text/plain") == (response.status, response.content_type)
    assert "SMAPI" in text


async def test_unknown_method_is_a_clear_fault(running: System, sonos: Sonos) -> None:
    """What nobody answers is refused, not broken."""
    answer = await sonos.call("rateItem", {"id": "1", "rating": "5"})

    assert "Client.MethodNotSupported" == answer.fault


@pytest.mark.parametrize("method", ["getMetadata", "getLastUpdate", "getUserInfo", "refreshAuthToken"])
async def test_call_without_a_token_is_unauthorized(running: System, sonos: Sonos, method: str) -> None:
    """No token is no failure of ours."""
    answer = await sonos.call(method, {"id": "root"})

    assert "Client.LoginUnauthorized" == answer.fault


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"<", {}),
        (b"x" * 70_000, {}),
        (b"<!DOCTYPE a><a/>", {}),
        (b"\xff\xfe<\x00a\x00/\x00>\x00", {}),
        (b"<a/>", {"Content-Encoding": "gzip"}),
    ],
    ids=["empty", "cut", "too large", "doctype", "utf-16", "not gzip"],
)
async def test_every_refusal_is_soap(
    running: System, http: aiohttp.ClientSession, body: bytes, headers: dict[str, str]
) -> None:
    """HTTP 500 with a SOAP fault that blames the client, and nothing of a framework."""
    async with http.post(running.endpoint, data=body, headers=headers) as response:
        fault = etree.fromstring(await response.read())

    assert (500, "text/xml") == (response.status, response.content_type)
    assert (fault.findtext(".//faultcode") or "").startswith("Client.")


@pytest.mark.parametrize("path", ["/smapi/nobody", "/smapi/default/more"])
async def test_unknown_endpoint_is_soap_too(running: System, http: aiohttp.ClientSession, path: str) -> None:
    """Sonos understands nothing else, wherever it was pointed at."""
    async with http.post(running.gateways[0] + path, data=b"<a/>") as response:
        fault = etree.fromstring(await response.read())

    assert 500 == response.status
    assert "Client.MalformedRequest" == fault.findtext(".//faultcode")


async def test_two_tokens_in_headers_are_refused(running: System, http: aiohttp.ClientSession) -> None:
    """Of two Authorization headers, two servers could read different ones."""
    headers = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    async with http.post(running.endpoint, data=b"<a/>", headers=headers) as response:
        fault = etree.fromstring(await response.read())

    assert "Client.MalformedRequest" == fault.findtext(".//faultcode")


async def test_app_link_follows_the_settings(running: System, sonos: Sonos) -> None:
    """Browser only as long as no app is configured: no empty elements, no appUrl."""
    answer = await sonos.call("getAppLink", {"householdId": sonos.household})
    info = etree.fromstring(answer.raw).find(f".//{{{SMAPI}}}authorizeAccount")

    assert info is not None
    assert [f"{{{SMAPI}}}appUrlStringId", f"{{{SMAPI}}}deviceLink"] == [child.tag for child in info]


async def test_household_is_needed(running: System, sonos: Sonos) -> None:
    """A link without a household would belong to nobody."""
    answer = await sonos.call("getAppLink")

    assert "Client.MalformedRequest" == answer.fault


async def test_health(running: System, http: aiohttp.ClientSession) -> None:
    """Alive and ready."""
    statuses = []
    for path in ("/livez", "/readyz"):
        async with http.get(running.gateways[0] + path) as response:
            statuses.append(response.status)

    assert [200, 200] == statuses


async def test_public_keys_verify_a_token_elsewhere(running: System, http: aiohttp.ClientSession) -> None:
    """A content server fetches the JWKS and needs nothing else; nothing private is in it."""
    async with http.get(f"{running.gateways[0]}/.well-known/jwks.json") as response:
        document = json.loads(await response.text())

    assert [{"alg", "crv", "kid", "kty", "use", "x"}] == [set(key) for key in document["keys"]]


async def test_pages_keep_to_themselves(running: System, sonos: Sonos, http: aiohttp.ClientSession) -> None:
    """The headers of a page on which a password is typed."""
    link = await sonos.get_app_link()
    async with http.get(link.reg_url) as response:
        headers, cookie = response.headers, response.headers["Set-Cookie"]

    assert "no-store" == headers["Cache-Control"]
    assert "no-referrer" == headers["Referrer-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("path", ["/.well-known/jwks.json", "/nowhere", "/readyz"])
async def test_what_is_no_page_runs_nothing(running: System, path: str) -> None:
    """JSON and plain lines carry a policy too: shown by a browser, they load nothing and stand in no frame."""
    async with aiohttp.ClientSession() as http, http.get(f"{running.gateways[0]}{path}") as response:
        assert "text/html" != response.content_type
        assert "default-src 'none'; frame-ancestors 'none'" == response.headers["Content-Security-Policy"]


async def test_https_is_kept_to(sqlite_url: str, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """Behind a public URL of https: cookies for this host and https alone, and no browser asks otherwise for a year."""
    address = f"127.0.0.1:{free_port()}"
    async with started(tmp_path, sqlite_url, LATCHKEY_PUBLIC_URL=f"https://{address}") as system:
        link = await Sonos(http, system.endpoint).get_app_link()
        async with http.get(link.reg_url.replace("https://", "http://")) as response:
            headers, cookie = response.headers, response.headers["Set-Cookie"]

    assert cookie.startswith("__Host-")
    assert {"Secure", "Path=/", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert "max-age=31536000" == headers["Strict-Transport-Security"]
    assert "nosniff" == headers["X-Content-Type-Options"]


@pytest.mark.parametrize("code", ["k" + "0" * 31, "nonsense", "%00", "..%2f"])
async def test_page_of_no_link(running: System, http: aiohttp.ClientSession, code: str) -> None:
    """A made-up code gets a page that says so, and what to do."""
    async with http.get(f"{running.gateways[0]}/link/{code}") as response:
        text = await response.text()

    assert 404 == response.status
    assert "not valid any more" in text
