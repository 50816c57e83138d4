"""A backup is taken while people link, and what is restored from it goes on where it was, and with what came later."""

from pathlib import Path

from tests.e2e.test_link import link_household
from tests.play.operator import EMBEDDED, System
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.sonos import Pair, Sonos, pair_of


async def test_household_outlives_the_machine(
    embedded: System, sonos: Sonos, person: Person, tmp_path: Path
) -> None:
    """Also with a token that was refreshed after the backup, of which the restored database knows nothing."""
    pair = await link_household(sonos, person)
    neighbour = Sonos(sonos.http, sonos.endpoint, household="Sonos_next_door")
    unfinished = await neighbour.get_app_link()
    backed_up = await embedded.run("backup", "night.backup")
    later = pair_of(await sonos.root(Pair(token=await stale_token(embedded), key=pair.key)))
    embedded.processes.pop().stop()
    address = embedded.gateways[0].removeprefix("http://")
    await embedded.run("restore", "night.backup", "--data", "elsewhere")
    embedded.start(
        "restored",
        ("-c", EMBEDDED),
        LATCHKEY_LISTEN=address,
        LATCHKEY_DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path / 'elsewhere/latchkey.db'}",
        LATCHKEY_KEYS_DIR=str(tmp_path / "elsewhere/keys"),
    )
    await embedded.ready()
    await person.complete(unfinished.reg_url)
    refreshed = pair_of(await sonos.call("refreshAuthToken", pair=later))
    linked = pair_of(await neighbour.poll(unfinished))

    assert backed_up.startswith("wrote night.backup, ")
    assert pair != later
    assert [None] * 3 == [(await sonos.root(each)).fault for each in (later, refreshed, linked)]
