"""Services that Sonos knows as "Session ID", as stateless, or as anonymous; and what a service with tokens answers to their calls."""

from deploy.check import schema, sources
from deploy.check.checks import check, counted, unless_fault, unless_result
from deploy.check.client import Answer, elements
from deploy.check.probe import Probe
from deploy.check.reading import Skipped
from deploy.check.report import LINKING, Mode, Severity

_SESSION = frozenset({Mode.SESSION_ID})
_STATELESS = frozenset({Mode.STATELESS})
_ANONYMOUS = frozenset({Mode.ANONYMOUS})
_ROOT = {"id": "root", "index": "0", "count": "100"}
_LONGEST_SESSION = 128
_CLEAR = (
    "Client.AuthTokenExpired",
    "Client.LoginUnauthorized",
    "Client.LoginInvalid",
    "Client.NOT_LINKED_FAILURE",
)


async def _sign_in(probe: Probe, **changes: str) -> Answer:
    credentials = {"username": probe.options.name, "password": probe.options.password} | changes
    return await probe.client.call("getSessionId", credentials)


def _known(probe: Probe) -> None:
    if not probe.options.name or not probe.options.password:
        raise Skipped("needs an account: --user and --password")


def _login(probe: Probe, **changes: str) -> str:
    credentials = {"username": probe.options.name, "password": probe.options.password} | changes
    return f"<login>{elements(credentials)}</login>"


@check(
    "session.made-up-account",
    sonos="On LoginInvalid the app says that name or password is wrong; on anything else that the service has failed.",
    way_out="Answer getSessionId with Client.LoginInvalid where name and password do not belong together.",
    source=sources.SESSION_ID,
    modes=_SESSION,
)
async def made_up_account(probe: Probe) -> str | None:
    """A made-up name is refused with LoginInvalid."""
    answer = await _sign_in(probe, username=probe.letters(16), password=probe.letters(16))
    return unless_fault(answer, "Client.LoginInvalid")


@check(
    "session.wrong-password",
    sonos="As with a made-up name; a different answer tells strangers which names there are.",
    way_out="Answer both with Client.LoginInvalid.",
    source=sources.SELF_TEST,
    modes=_SESSION,
)
async def wrong_password(probe: Probe) -> str | None:
    """A wrong password is refused with LoginInvalid."""
    _known(probe)
    return unless_fault(await _sign_in(probe, password=probe.letters(16)), "Client.LoginInvalid")


@check(
    "session.id",
    sonos="The header of later calls takes 128 characters; a longer id is cut.",
    way_out="Answer getSessionId with an id of 1 to 128 characters.",
    source=sources.SESSION_ID,
    modes=_SESSION,
)
async def session_id(probe: Probe) -> str | None:
    """The right name and password give a session id of at most 128 characters."""
    _known(probe)
    answer = await _sign_in(probe)
    if not answer.is_result:
        return unless_result(answer)
    length = len(answer.text("getSessionIdResult") or "")
    return None if 0 < length <= _LONGEST_SESSION else f"it has {length} characters"


@check(
    "session.use",
    sonos="The service was added and shows nothing.",
    way_out="Take the session id from credentials/sessionId of the SOAP header.",
    source=sources.SESSION_ID,
    modes=_SESSION,
)
async def session_use(probe: Probe) -> str | None:
    """A call with the session id is answered."""
    _known(probe)
    given = (await _sign_in(probe)).text("getSessionIdResult")
    if given is None:
        raise Skipped("getSessionId gives no session id: see session.id")
    login = elements({"sessionId": given})
    said = [
        await probe.client.call("getMetadata", _ROOT, login),
        await probe.client.call("getLastUpdate", {}, login),
    ]
    return counted([seen for a in said if (seen := unless_result(a))])


@check(
    "session.unknown",
    sonos="On SessionIdInvalid Sonos signs in again and repeats the call; on anything else the person sees an error.",
    way_out="Answer an unknown session id with Client.SessionIdInvalid.",
    source=sources.SELF_TEST,
    modes=_SESSION,
)
async def unknown_session(probe: Probe) -> str | None:
    """A session id that was never given is refused with SessionIdInvalid."""
    login = elements({"sessionId": probe.letters(32)})
    return unless_fault(await probe.client.call("getMetadata", _ROOT, login), "Client.SessionIdInvalid")


@check(
    "session.none",
    sonos="Nobody in particular must not see what belongs to an account.",
    way_out="Refuse a call without a session id.",
    source=sources.SESSION_ID,
    modes=_SESSION | _STATELESS,
)
async def no_session(probe: Probe) -> str | None:
    """A call without any credentials is refused."""
    return unless_fault(await probe.client.call("getMetadata", _ROOT))


@check(
    "stateless.use",
    sonos="The service was added and shows nothing.",
    way_out="Take name and password from credentials/login of the SOAP header.",
    source=sources.SELF_TEST,
    modes=_STATELESS,
)
async def stateless_use(probe: Probe) -> str | None:
    """A call with the right name and password in its header is answered."""
    _known(probe)
    said = [await probe.client.call("getMetadata", _ROOT, _login(probe)) for _ in range(2)]
    return counted([seen for a in said if (seen := unless_result(a))])


@check(
    "stateless.wrong-password",
    sonos="On LoginInvalid the app says that name or password is wrong.",
    way_out="Answer a wrong password in the header with Client.LoginInvalid.",
    source=sources.SELF_TEST,
    modes=_STATELESS,
)
async def stateless_wrong_password(probe: Probe) -> str | None:
    """A wrong password in the header is refused with LoginInvalid."""
    login = _login(probe, username=probe.options.name or probe.letters(12), password=probe.letters(16))
    answer = await probe.client.call("getMetadata", _ROOT, login)
    return unless_fault(answer, "Client.LoginInvalid", "Client.LoginUnauthorized")


@check(
    "anonymous.credentials",
    sonos="A household that had an account before sends what it has; an anonymous service has no use for it.",
    way_out="Skip credentials where you ask for none.",
    source=sources.UPGRADE,
    severity=Severity.WARNING,
    modes=_ANONYMOUS,
)
async def anonymous_credentials(probe: Probe) -> str | None:
    """Credentials that nobody asked for do no harm."""
    login = f"<loginToken><token>{probe.letters(24)}</token><householdId>{probe.household}</householdId></loginToken>"
    return unless_result(await probe.client.call("getMetadata", _ROOT, login))


@check(
    "legacy.session-id",
    sonos="A service that has moved on from sessions answers AuthTokenExpired, so that players upgrade; no other may give one.",
    way_out="Answer getSessionId with Client.AuthTokenExpired if there were sessions once, with another fault if not.",
    source=sources.SESSION_ID,
    severity=Severity.WARNING,
    modes=LINKING | _ANONYMOUS,
)
async def legacy_session_id(probe: Probe) -> str | None:
    """A service with tokens answers getSessionId with a fault."""
    return unless_fault(await _sign_in(probe, username=probe.letters(12), password=probe.letters(12)))


@check(
    "legacy.upgrade",
    sonos="A player upgrades each account by such a call; NOT_LINKED_FAILURE and AuthTokenExpired end it, anything else is tried again.",
    way_out="Answer with a pair, with Client.AuthTokenExpired to have people sign in again, or with Client.NOT_LINKED_FAILURE.",
    source=sources.UPGRADE,
    severity=Severity.WARNING,
)
async def upgrade(probe: Probe) -> str | None:
    """A call for a pair without a link code, with the right name and password, gets one, or is told clearly that it will not."""
    _known(probe)
    answer = await probe.client.call("getDeviceAuthToken", {"householdId": probe.household}, _login(probe))
    if not answer.is_result:
        return unless_fault(answer, *_CLEAR)
    assert answer.content is not None
    return counted(schema.problems_of(answer.content, "getDeviceAuthToken"))


CHECKS = (
    made_up_account,
    wrong_password,
    session_id,
    session_use,
    unknown_session,
    no_session,
    stateless_use,
    stateless_wrong_password,
    anonymous_credentials,
    legacy_session_id,
    upgrade,
)
