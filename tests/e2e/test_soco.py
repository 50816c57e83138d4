"""SoCo, a real controller library, adds the service as it would on a real system: only the speaker is missing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest
from soco.exceptions import MusicServiceAuthException, MusicServiceException
from soco.music_services import MusicService
from soco.music_services.token_store import JsonFileTokenStore

from tests.play.database import execute
from tests.play.operator import System
from tests.play.past import stale_token
from tests.play.person import Person

HOUSEHOLD = "Sonos_SoCoHouseholdOfATest"
ResultT = TypeVar("ResultT")


async def in_thread(call: Callable[[], ResultT]) -> ResultT:
    """SoCo blocks."""
    return await asyncio.get_running_loop().run_in_executor(None, call)


@pytest.fixture(params=["AppLink", "DeviceLink"])
def service(request: pytest.FixtureRequest, embedded: System, tmp_path: Path) -> MusicService:
    """The service as SoCo knows it from a speaker's list, registered with one of the two ways to link."""
    descriptor = (
        '<Services SchemaVersion="1"><Service Id="240" Name="Latchkey" Version="1.1" '
        f'Uri="{embedded.endpoint}" SecureUri="{embedded.endpoint}" ContainerType="MService" '
        f'Capabilities="513" MaxMessagingChars="0"><Policy Auth="{request.param}" PollInterval="60"/>'
        "</Service></Services>"
    )
    return offered(descriptor, tmp_path)


def offered(descriptor: str, folder: Path) -> MusicService:
    MusicService._get_music_services_data_xml = staticmethod(lambda _soco=None: descriptor)
    MusicService._music_services_data = None
    device = SimpleNamespace(
        household_id=HOUSEHOLD,
        systemProperties=SimpleNamespace(GetString=lambda _: {"StringValue": "00-0E-58-00-00-00:0"}),
        deviceProperties=SimpleNamespace(GetHouseholdID=lambda: {"CurrentHouseholdID": HOUSEHOLD}),
    )
    store = JsonFileTokenStore(str(folder / "soco-tokens.json"))
    return MusicService("Latchkey", token_store=store, device=device)


async def test_soco_links_and_browses(service: MusicService, person: Person) -> None:
    """SoCo begins, is told to ask again, gets its pair when the person is done, and opens the service."""
    url = await in_thread(service.begin_authentication)
    code, device_id = service.link_code, service.link_device_id
    with pytest.raises(MusicServiceException, match="not finished"):
        await in_thread(lambda: service.complete_authentication(code, device_id))
    await person.complete(url)
    await in_thread(lambda: service.complete_authentication(code, device_id))
    root = await in_thread(
        lambda: service.soap_client.call("getMetadata", [("id", "root"), ("index", 0), ("count", 100)])
    )

    assert "Linked to Latchkey as ann" == root["getMetadataResult"]["mediaCollection"]["title"]


async def test_soco_refreshes_by_itself(service: MusicService, person: Person, embedded: System) -> None:
    """A stale token is replaced inside the fault, and SoCo repeats the call without anybody noticing."""
    await in_thread(service.begin_authentication)
    await person.complete(f"{embedded.gateways[0]}/link/{service.link_code}")
    await in_thread(lambda: service.complete_authentication(service.link_code, service.link_device_id))
    before = service.token_store.load_token_pair("240", HOUSEHOLD)
    stale = await stale_token(embedded)
    service.token_store.save_token_pair("240", HOUSEHOLD, (stale, before[1]))
    await in_thread(lambda: service.soap_client.call("getLastUpdate"))
    after = service.token_store.load_token_pair("240", HOUSEHOLD)

    assert after[0] not in {before[0], stale}


async def test_soco_is_told_to_link_again(service: MusicService, person: Person, embedded: System) -> None:
    """A revoked grant is what SoCo takes for "authorize again"."""
    await in_thread(service.begin_authentication)
    await person.complete(f"{embedded.gateways[0]}/link/{service.link_code}")
    await in_thread(lambda: service.complete_authentication(service.link_code, service.link_device_id))
    await execute(embedded.database_url, "UPDATE grants SET status = 'revoked'")

    with pytest.raises(MusicServiceAuthException):
        await in_thread(lambda: service.soap_client.call("getLastUpdate"))
