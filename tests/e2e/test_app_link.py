"""getAppLink as the settings shape it: an app, sign-up, and a second service beside the first."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import Person
from tests.play.sonos import CALLBACK, HOUSEHOLD, SMAPI, Link, Sonos, pair_of

CONFIG = """
[services.default]
title = "Moonlight"
app_url = "moonlight://link?code={linkCode}&home={householdId}&back={callbackPath}"
[services.default.create_account]
app_url = "moonlight://join?back={callbackPath}"
[services.radio]
title = "Moonlight Radio"
[services.phones]
app_url = "moonlight://link?code={linkCode}"
[services.phones.app]
ios_url = "https://app.example.com/ios?code={linkCode}&state={state}&to={redirectUri}"
failure_string_id = "APP_FAILED"
failure_url = "https://help.example.com/app"
failure_url_string_id = "HELP"
install = { message_string_id = "INSTALL", url = "https://app.example.com/get", url_string_id = "GET_IT" }
call_to_action = { message_string_id = "USE_YOUR_PHONE" }
"""


@pytest.fixture
async def shaped(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """An installation with two services, one of which has an app."""
    config = tmp_path / "latchkey.toml"
    config.write_text(CONFIG)
    extra = {"LATCHKEY_CONFIG": str(config)}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as system:
        await add_account(system)
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        yield system


async def test_app_and_sign_up_are_offered(shaped: System, http: aiohttp.ClientSession) -> None:
    """Deep links are filled in with encoded values; the browser's way is always there too."""
    sonos = Sonos(http, shaped.endpoint)
    arguments = {"householdId": HOUSEHOLD, "callbackPath": CALLBACK}
    answer = await sonos.call("getAppLink", arguments)
    result = etree.fromstring(answer.raw).find(f".//{{{SMAPI}}}getAppLinkResult")
    assert result is not None
    urls = [element.text for element in result.iter(f"{{{SMAPI}}}appUrl")]
    encoded = (
        "sonos-2%3A%2F%2Fx-callback-url%2FaddAccount%3Fstate%3DintId%253Dnet%252Eexample%2526x%253D%252F"
    )

    assert [f"{{{SMAPI}}}authorizeAccount", f"{{{SMAPI}}}createAccount"] == [child.tag for child in result]
    assert [
        f"moonlight://link?code={answer['linkCode']}&home={HOUSEHOLD}&back={encoded}",
        f"moonlight://join?back={encoded}",
    ] == urls
    assert answer["regUrl"].endswith(answer["linkCode"])


async def test_services_do_not_know_each_other(
    shaped: System, http: aiohttp.ClientSession, person: Person
) -> None:
    """A code, a token and an account belong to one service; the other refuses them."""
    one, radio = Sonos(http, shaped.endpoint), Sonos(http, f"{shaped.endpoint}/radio")
    link = await one.get_app_link()
    page = await person.open(link.reg_url)
    await person.complete(link.reg_url)
    pair = pair_of(await one.poll(link))
    other = await radio.get_app_link()
    unknown_there = await person.sign_in(other.reg_url)
    answers = [
        await radio.poll(Link(reg_url="", code=link.code, device_id=link.device_id)),
        await radio.root(pair),
    ]

    assert "Moonlight" in page.text
    assert "do not match" in unknown_there.text
    assert ["Client.NOT_LINKED_FAILURE", "Client.LoginUnauthorized"] == [answer.fault for answer in answers]


IPHONE = {"hardware": "iPhone17,5", "sonosAppName": "ICRU_iPhone17,5"}
ANDROID = {"hardware": "Google:sunfish:Pixel 4a", "sonosAppName": "ACR_:Google:sunfish:Pixel 4a"}
WINDOWS = {"hardware": "Windows", "sonosAppName": "WDCR:Microsoft Windows NT 10.0.19045 64-bit"}


async def test_every_device_gets_what_fits_it(shaped: System, http: aiohttp.ClientSession) -> None:
    """An iPhone its own link, Android the general one, each with what to do when it fails; a desktop is sent elsewhere."""
    sonos = Sonos(http, f"{shaped.endpoint}/phones")
    common = {"householdId": HOUSEHOLD, "callbackPath": CALLBACK}
    iphone, android, windows = [
        await sonos.call("getAppLink", common | device) for device in (IPHONE, ANDROID, WINDOWS)
    ]

    assert (
        f"https://app.example.com/ios?code={iphone['linkCode']}"
        "&state=intId%3Dnet.example%26x%3D%2F&to=sonos-2%3A%2F%2Fx-callback-url%2FaddAccount"
    ) == iphone["appUrl"]
    assert f"moonlight://link?code={android['linkCode']}" == android["appUrl"]
    assert ["APP_FAILED", "https://help.example.com/app", "HELP"] == [
        android[name] for name in ("failureStringId", "failureUrl", "failureUrlStringId")
    ]
    assert ("INSTALL", "https://app.example.com/get", "GET_IT") == (
        iphone["messageStringId"],
        iphone["url"],
        iphone["urlStringId"],
    )
    assert (None, "USE_YOUR_PHONE", True) == (
        windows.fault,
        windows["messageStringId"],
        "callToAction" in windows.values and "linkCode" not in windows.values,
    )


async def test_link_that_would_be_too_long_is_left_out(shaped: System, http: aiohttp.ClientSession) -> None:
    """The browser's way is there all the same."""
    sonos = Sonos(http, shaped.endpoint)
    answer = await sonos.call(
        "getAppLink", {"householdId": HOUSEHOLD, "callbackPath": "sonos://x?" + "%" * 2000}
    )

    assert (None, True, False) == (answer.fault, "regUrl" in answer.values, "appUrl" in answer.values)
