"""Every page with values like those it gets: an operator's own templates are tried with them at start, and the tests look at ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.pages import household_words, present
from gateway.pages.present import Choice
from shared.domain.account import Account
from shared.domain.grant import Grant, GrantStatus
from shared.domain.link import Device, Link, LinkState
from shared.domain.visit import VisitOutcome
from shared.storage.records import AttemptOutcome, LinkView, LoginAttempt
from shared.storage.visits import AuditView, Origin, SystemView

Values = Mapping[str, object]

_NOW = 1_790_000_000
_LINK = Link(
    link_id="link",
    service="default",
    state=LinkState.REQUESTED,
    household_id="Sonos_Wz6tqJbSh5Uc3rCk6mPzLoBDpQ_7d55e99",
    device=Device(hardware="iPhone17,5", app_name="ICRU_iPhone17,5"),
    callback_path="sonos-2://x-callback-url/addAccount",
    requested_at=_NOW - 130,
    expires_at=_NOW + 470,
)
_ACCOUNT = Account(account_id="account-1", service="default", provider="local", subject="ann", nickname="Ann")
_GRANT = Grant(
    grant_id="grant-1",
    service="default",
    account_id="account-1",
    household_id=_LINK.household_id,
    status=GrantStatus.ACTIVE,
    family=1,
    generation=1,
    signing_key_id="s1",
    derivation_key_id="d1",
    issued_at=_NOW,
    expires_at=_NOW + 3600,
    seen_generation=1,
    family_started_at=_NOW - 9_000_000,
    used_at=_NOW - 90,
)
_ORIGIN = Origin(grant_id="grant-1", service="default", device=_LINK.device, network="192.0.2.0/24")
_ADDRESS = "/link/example"
_FORM = {"address": _ADDRESS, "form_token": "0" * 64}


def samples() -> dict[str, Sequence[Values]]:
    """Return, for every page, the values of its cases, in the language of this request."""
    link = _FORM | {
        "asker": present.asker(_LINK, _NOW),
        "account": _ACCOUNT,
        "provider": "local",
        "choices": (),
        "problem": None,
        "way_back": _LINK.callback_path,
    }
    choices = tuple(
        Choice(name=name, title=title, address=f"{_ADDRESS}?with={name}")
        for name, title in (("local", "Hörfunk"), ("library", "The city library"), ("navidrome", "Navidrome"))
    )
    unknown = present.asker(replace(_LINK, household_id="", device=Device()), _LINK.requested_at)
    return {
        "sign_in": (
            link,
            *(link | {"problem": problem} for problem in _problems()),
            link | {"choices": choices},
            link | {"departure": _ADDRESS, "provider_title": "Navidrome", "provider": "navidrome"},
            link | {"choices": choices, "provider": None, "asker": unknown},
        ),
        "confirm": (link,),
        "waiting": ({"address": _ADDRESS},),
        "done": (link, link | {"account": None, "way_back": None}),
        "declined": (link, link | {"way_back": None}),
        "failed": (link,),
        "expired": ({}, link),
        "taken": (link,),
        "try_again": ({"address": _ADDRESS},),
        "problem": ({"status": 400}, {"status": 403}, {"status": 404}),
        "enter": (_FORM | {"problem": None}, _FORM | {"problem": present.wrong_code()}),
        **_of_the_household(choices),
        "too_many": ({"address": "/enter", "wait": present.too_many(61)},),
        "slow_down": tuple(
            {"address": _ADDRESS, "wait": present.too_many(61), "began_in_app": began}
            for began in (True, False)
        ),
        "unusable": ({},),
    }


def _of_the_household(choices: Sequence[Choice]) -> dict[str, Sequence[Values]]:
    form: dict[str, object] = _FORM | {
        "address": "/household/default",
        "provider": "local",
        "choices": (),
        "problem": None,
    }
    elsewhere: dict[str, object] = {
        "departure": _ADDRESS,
        "provider_title": "Navidrome",
        "provider": "navidrome",
    }
    erase = form | {"home": "/household/default", "account": None}
    events = [
        AuditView(
            at=_NOW - 7300 * number,
            kind=kind,
            household_id=None if kind.startswith("a") else "Sonos_abcdefgh",
        )
        for number, kind in enumerate(household_words.EVENTS)
    ]
    systems = (
        SystemView(grant=_GRANT, origin=_ORIGIN),
        SystemView(grant=replace(_GRANT, grant_id="grant-2", used_at=_NOW - 300_000), origin=None),
    )
    home = form | {"account": _ACCOUNT, "notice": None, "systems": (), "events": ()}
    return {
        "household_sign_in": (
            form | {"notice": None},
            form | {"notice": household_words.notice("ended")},
            *(
                form | {"notice": None, "problem": household_words.problem(outcome, "Hörfunk")}
                for outcome in VisitOutcome
            ),
            form | {"notice": None, "choices": choices, "provider": None},
            form
            | {"notice": None, "problem": present.way_problem("denied", provider="Navidrome", is_link=False)},
            form | {"notice": None} | elsewhere,
        ),
        "household": (
            home,
            *(
                home
                | {
                    "notice": household_words.notice(said),
                    "systems": household_words.systems(systems, _NOW),
                    "events": household_words.happenings(events, _NOW),
                }
                for said in household_words.NOTICES
            ),
        ),
        "household_erase": (
            erase,
            erase | {"choices": choices, "provider": None},
            erase | elsewhere,
            erase | {"account": _ACCOUNT, "sign_out_token": "token"},
        ),
        "household_erased": ({},),
    }


def _problems() -> list[str]:
    cases = (
        (AttemptOutcome.REFUSED, 2),
        (AttemptOutcome.REFUSED, 5),
        (AttemptOutcome.NOT_ALLOWED, 5),
        (AttemptOutcome.UNAVAILABLE, 5),
    )
    told = []
    for outcome, limit in cases:
        attempt = LoginAttempt(link_id="link", submission_id="s1", outcome=outcome)
        view = LinkView(link=_LINK, account=None, attempts=(attempt,), now=_NOW)
        told.append(present.sign_in_problem(view, submission="s1", limit=limit, provider="Hörfunk") or "")
    return told
