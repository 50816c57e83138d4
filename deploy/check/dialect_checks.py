"""Whether every known client is understood."""

from deploy.check.checks import Check, Look, unless_fault, unless_result
from deploy.check.client import CALLBACK, Answer
from deploy.check.dialects import DIALECTS, Dialect
from deploy.check.probe import Probe
from deploy.check.reading import link_in
from deploy.check.report import EVERY, About, Mode

_METHODS = {Mode.APP_LINK: "getAppLink", Mode.DEVICE_LINK: "getDeviceLinkCode"}


async def _send(probe: Probe, dialect: Dialect, method: str, arguments: dict[str, str]) -> Answer:
    return await probe.client.send(dialect.message(method, arguments, probe.household))


async def _links(probe: Probe, dialect: Dialect) -> str | None:
    arguments = {"householdId": probe.household}
    if probe.mode is Mode.APP_LINK:
        arguments |= {
            "hardware": "Windows",
            "osVersion": "Microsoft Windows NT 10.0.19045 64-bit",
            "sonosAppName": "Sonos",
            "callbackPath": CALLBACK,
        }
    answer = await _send(probe, dialect, _METHODS[probe.mode], arguments)
    seen = unless_result(answer)
    if seen is not None:
        return seen
    link = link_in(answer)
    arguments = {"householdId": probe.household, "linkCode": link.code, "linkDeviceId": link.device_id or "d"}
    # Whoever sends a linkDeviceId of its own may be told that this will never do.
    own = ("Client.NOT_LINKED_FAILURE",) if dialect.own_device is not None else ()
    return unless_fault(
        await _send(probe, dialect, "getDeviceAuthToken", arguments), "Client.NOT_LINKED_RETRY", *own
    )


async def _browses(probe: Probe, dialect: Dialect) -> str | None:
    arguments = {"id": "root", "index": "0", "count": "10"}
    answer = await _send(probe, dialect, "getMetadata", arguments)
    return unless_result(answer) if probe.mode is Mode.ANONYMOUS else unless_fault(answer)


_LOOKS = {
    Mode.APP_LINK: _links,
    Mode.DEVICE_LINK: _links,
    Mode.SESSION_ID: _browses,
    Mode.STATELESS: _browses,
    Mode.ANONYMOUS: _browses,
}


def _look(dialect: Dialect) -> Look:
    async def look(probe: Probe) -> str | None:
        return await _LOOKS[probe.mode](probe, dialect)

    return look


def _check(dialect: Dialect) -> Check:
    about = About(
        check_id=f"dialect.{dialect.name}",
        title=f"Understood: {dialect.title}",
        severity=dialect.severity,
        sonos="This client cannot add the service: what it sends is refused or misread.",
        way_out="Read what is needed by local names, in any order, and skip the rest; never validate a request as a whole.",
        source=dialect.source,
        modes=EVERY,
    )
    return Check(about=about, look=_look(dialect))


CHECKS = tuple(_check(dialect) for dialect in DIALECTS)
