"""`latchkey sonos`: its options and its words."""

import asyncio
from pathlib import Path

import click

from deploy.options import (
    data_option,
    explained,
    known_service,
    public_url_option,
    service_option,
    settings_of,
)
from deploy.sonos import export as work
from deploy.sonos import player as players
from deploy.sonos import portal, strings, versions
from deploy.sonos.export import EMPTY_MAP, Own
from deploy.sonos.portal import AUTH_TYPES, FIRST_SID, LAST_SID, OTHER_SID
from shared.settings import DEFAULT_SERVICE, Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_TYPES = ("Anonymous", "UserId", "DeviceLink", "AppLink")
_url_option = click.option(
    "--url",
    metavar="URL",
    help="Where the folder is served; default: PUBLIC-URL/sonos, with /SERVICE for others.",
)


@click.group()
def sonos() -> None:
    """What Sonos wants to know of a service before anybody can add it."""


@sonos.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--strings", "own_texts", type=_FILE, help="Your own i18next file: its texts win, and are added."
)
@click.option(
    "--presentation-map", "own_map", type=_FILE, help="Your own presentation map; default: an empty one."
)
@_url_option
@service_option
@public_url_option
@data_option
@explained
def export(
    *,
    folder: Path,
    own_texts: Path | None,
    own_map: Path | None,
    url: str | None,
    service: str,
    public_url: str | None,
    data: Path | None,
) -> None:
    """Write into FOLDER what Sonos wants: texts in its twelve languages, presentation map, manifest, and a checklist.

    Export into the same folder again after every change: what is other than before gets a new version, without which Sonos keeps
    what it has.

    Example:  latchkey sonos export /etc/latchkey/sonos --strings catalogue.json
    """
    settings = known_service(settings_of(data, public_url), service)
    own = Own(
        texts=strings.read(own_texts.read_bytes()) if own_texts else {},
        presentation_map=work.checked_map(own_map.read_bytes()) if own_map else EMPTY_MAP,
    )
    before = versions.read(folder)
    contents = work.files(settings, service, own, url=_address(settings, service, url), before=before)
    changed = work.write(folder, contents)
    for path in changed:
        click.echo(f"wrote {path}")
    click.echo(f"{folder / work.CHECKLIST} says what goes where" if changed else "nothing has changed")


@sonos.command()
@click.argument("player")
@click.option(
    "--export", "folder", type=_FOLDER, help="The exported folder, for the versions of what is in it."
)
@click.option(
    "--sid",
    default=OTHER_SID,
    show_default=True,
    type=int,
    help=f"Service id: {FIRST_SID} to {LAST_SID}, or {OTHER_SID}; another one for another version.",
)
@click.option("--auth-type", type=click.Choice(_TYPES), help="Default: by the service's settings.")
@click.option(
    "--cap", "more", multiple=True, metavar="NAME", help="A capability of your catalogue, such as search."
)
@click.option("--remove", is_flag=True, help="Take the service with this id off the player instead.")
@_url_option
@service_option
@public_url_option
@data_option
@explained
def register(
    *,
    player: str,
    folder: Path | None,
    sid: int,
    auth_type: str | None,
    more: tuple[str, ...],
    url: str | None,
    service: str,
    public_url: str | None,
    data: Path | None,
    remove: bool,
) -> None:
    """Make the service known to an S1 system, by the form of one of its players; PLAYER is its address.

    Example:  latchkey sonos register 192.168.1.20 --export /etc/latchkey/sonos
    """
    settings = known_service(settings_of(data, public_url), service)
    where = players.player(player)
    if sid != OTHER_SID and not FIRST_SID <= sid <= LAST_SID:
        raise ValueError(f"--sid {sid}: players take {FIRST_SID} to {LAST_SID}, and {OTHER_SID}")
    if remove:
        asyncio.run(players.submit(where, {"sid": str(sid)}))
        click.echo(f"removed the service {sid} from the system of {where.address.host}")
        return
    about = portal.registration(
        settings, service, url=_address(settings, service, url), versions=_versions(folder)
    )
    fields = portal.form(
        about,
        sid=sid,
        auth_type=auth_type or _auth_type(settings, service),
        capabilities=tuple(dict.fromkeys((*about.capabilities, *more))),
    )
    asyncio.run(players.submit(where, fields))
    click.echo(f"registered {about.title} as service {sid} in the system of {where.address.host}")


def _address(settings: Settings, service: str, url: str | None) -> str:
    own = f"{settings.public_url}/sonos" + ("" if service == DEFAULT_SERVICE else f"/{service}")
    return (url or own).rstrip("/")


def _versions(folder: Path | None) -> dict[str, versions.Version]:
    if folder is None:
        raise ValueError(
            "--export: name the folder that `latchkey sonos export` wrote; without texts Sonos shows no button"
        )
    found = versions.read(folder)
    if not {"strings", "presentationMap"} <= set(found):
        raise ValueError(f"--export: nothing was exported into {folder}; `latchkey sonos export {folder}`")
    return found


def _auth_type(settings: Settings, service: str) -> str:
    found = AUTH_TYPES[settings.services[service].auth][1]
    if not found:
        raise ValueError("--auth-type: a player's form has no word for `stateless`; say which to register as")
    return found
