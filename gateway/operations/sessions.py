"""Sessions: has them opened, and checks the calls that come with a session id, or with a password every time."""

import msgspec

from gateway import counting
from gateway.caller import Caller
from gateway.context import GatewayContext
from gateway.logins import REFUSAL_SECONDS, Remembered
from gateway.operations.request import Request
from shared.boxes import LoginEvidence, evidence_identity
from shared.domain import account as accounts
from shared.domain import session as rules
from shared.domain.account import user_id_hash_code
from shared.domain.errors import (
    AccountDisabled,
    AccountUnsupported,
    ReauthorizationNeeded,
    Refusal,
    SessionUnknown,
    SignInRefused,
    TokenRefused,
    TooManyTries,
    TryAgainLater,
)
from shared.domain.limits import Counted
from shared.messages import CredentialsJudged, SessionRequested, SessionUsed, Verdict
from shared.sealing import seal
from shared.settings import Auth
from shared.storage.legacy import SessionView

_REFUSALS: dict[Verdict, type[Refusal]] = {
    Verdict.REFUSED: SignInRefused,
    Verdict.DISABLED: AccountDisabled,
    Verdict.UNSUPPORTED: AccountUnsupported,
    Verdict.REAUTHORIZE: ReauthorizationNeeded,
    Verdict.UNAVAILABLE: TryAgainLater,
    Verdict.LIMITED: TooManyTries,
}


async def open_session(login: LoginEvidence, request: Request, context: GatewayContext) -> str:
    """Have a session opened for a name and a password, and return its id.

    Raises:
        SignInRefused: name and password do not belong together.
        AccountDisabled, AccountUnsupported: they do, and are of no use.
        TryAgainLater: not judged in time; a session that is opened later is used by nobody, and goes unused.
        TooManyTries: not looked at, since a budget of wrong passwords is used up.
        BusUnavailable: could not be asked for.
    """
    session_id = rules.new_id(context.random.token_bytes(rules.RANDOM_BYTES))
    event = _requested(login, rules.hash_of(session_id, service=_home(request)), request, context)
    if event.counted:
        await counting.check(event.counted, context)
    with context.results.expect(CredentialsJudged, event.session_hash) as expected:
        await context.bus.publish([event])
        result = await expected.wait(context.settings.sessions.timeout)
    if isinstance(result, CredentialsJudged):
        check(result.verdict)
    elif await context.store.session(event.session_hash) is None:
        raise TryAgainLater("the credentials were not judged in time")
    return session_id


def check(verdict: Verdict) -> None:
    """Raise the refusal that a verdict means; nothing for `ACCEPTED`."""
    refusal = _REFUSALS.get(verdict)
    if refusal is not None:
        raise refusal


def household_of(request: Request) -> str:
    """Return what tells households apart: households with a session id or a login name only a device."""
    credentials = request.credentials
    return request.argument("householdId") or credentials.household_id or credentials.device_id or ""


async def by_session_id(request: Request, context: GatewayContext) -> Caller:
    """Return whose session it is.

    Raises:
        TokenRefused: credentials of another kind.
        SessionUnknown: no session id, not one of ours, or its time is over: Sonos gets another and repeats the call.
        AccountDisabled: the account was disabled meanwhile.
    """
    credentials = request.credentials
    if credentials.session_id is None:
        if credentials.token is None and credentials.username is None:
            raise SessionUnknown
        raise TokenRefused("credentials of another kind than this service has")
    session_hash = rules.hash_of(credentials.session_id, service=_home(request))
    return await _caller(session_hash, "session_id", request, context)


async def by_login(request: Request, context: GatewayContext) -> Caller:
    """Return who a name and a password in the header belong to; they are verified once an hour, not with every call.

    Raises:
        TokenRefused: credentials of another kind, or none.
        SignInRefused, AccountDisabled, AccountUnsupported, TryAgainLater: as `open_session`.
    """
    name, password = request.credentials.username, request.credentials.password
    if name is None or password is None:
        raise TokenRefused("no name and password came with the call")
    login = LoginEvidence(name=name, password=password)
    fingerprint = context.logins.fingerprint("login", request.service, name, password)
    session_hash = await _session_of(fingerprint, login, request, context)
    try:
        return await _caller(session_hash, "stateless", request, context)
    except SessionUnknown:
        # Over, or ended to make room: it is not the household's fault, and it has shown its password.
        context.logins.forget(fingerprint, session_hash)
    session_hash = await _session_of(fingerprint, login, request, context)
    return await _caller(session_hash, "stateless", request, context)


async def _session_of(
    fingerprint: str, login: LoginEvidence, request: Request, context: GatewayContext
) -> str:
    remembered = context.logins.recall(fingerprint, now=context.clock.monotonic())
    if remembered is None:
        flight = ("login", fingerprint)
        remembered = await context.refreshes.join(
            flight, lambda: _verified(fingerprint, login, request, context)
        )
    if remembered.session_hash is None:
        raise SignInRefused
    return remembered.session_hash


async def _verified(
    fingerprint: str, login: LoginEvidence, request: Request, context: GatewayContext
) -> Remembered:
    try:
        session_id = await open_session(login, request, context)
    except SignInRefused:
        session_hash, seconds = None, REFUSAL_SECONDS
    else:
        session_hash = rules.hash_of(session_id, service=_home(request))
        seconds = context.settings.sessions.remembered
    remembered = Remembered(session_hash=session_hash, until=context.clock.monotonic() + seconds)
    context.logins.remember(fingerprint, remembered)
    return remembered


async def _caller(session_hash: str, kind: Auth, request: Request, context: GatewayContext) -> Caller:
    view = await context.store.session(session_hash)
    if view is None or view.session.service != _home(request):
        raise SessionUnknown
    rules.check_usable(view.session, now=view.now)
    accounts.check_usable(view.account, tiers=())
    _tell_used(view, request, context)
    return Caller(
        kind=kind,
        service=request.service,
        account_id=view.account.account_id,
        provider=view.account.provider,
        subject=view.account.subject,
        nickname=view.account.nickname or None,
        tier=view.account.tier,
        household_id=request.credentials.household_id,
        device_id=request.credentials.device_id,
        favorites=user_id_hash_code(view.account.account_id),
    )


def _home(request: Request) -> str:
    """Return the service that opened the sessions which count here."""
    return request.settings.upgrade_of or request.service


def _tell_used(view: SessionView, request: Request, context: GatewayContext) -> None:
    session = view.session
    if not rules.is_worth_telling(session, rules=context.settings.session_rules, now=view.now):
        return
    event = SessionUsed(
        service=session.service, correlation_id=request.correlation_id, session_hash=session.session_hash
    )
    context.sightings.tell(event, (session.session_hash, session.used_at), context.bus)


def _requested(
    login: LoginEvidence, session_hash: str, request: Request, context: GatewayContext
) -> SessionRequested:
    return SessionRequested(
        service=_home(request),
        gateway=context.gateway_id,
        correlation_id=request.correlation_id,
        session_hash=session_hash,
        household_id=household_of(request),
        provider=context.settings.password_provider(_home(request)),
        evidence=seal(
            msgspec.json.encode(login),
            recipient=context.public_keys.auth_worker_box[0].public,
            bound_to=evidence_identity("session", session_hash),
        ),
        counted=counted(login, request, context),
    )


def counted(login: LoginEvidence, request: Request, context: GatewayContext) -> Counted:
    """Return under which keys the password of a household counts."""
    home = _home(request)
    return counting.counted(
        login,
        service=home,
        provider=context.settings.password_provider(home),
        network=request.network(),
        place=counting.household_place(household_of(request)),
        key=context.cookie_keys[0],
    )
