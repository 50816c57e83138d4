"""Where a link stands or stopped, what is missing, and what to try: one table, of which the first row that applies counts.

Sources: what people report of music services that cannot be added ("wasn't added. Something went wrong"), and docs.sonos.com,
"Add authentication" and "getDeviceAuthToken".
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.facts import Facts
from shared.domain.grant import GrantStatus
from shared.domain.link import BACK_END, LinkState
from shared.domain.sight import Sight
from shared.domain.timeline import Step, Trail, steps

GIVEN_OFTEN = 3
"""How often a token was given, and not used, before its answer must be thought lost."""

WORKS = "works"


@dataclass(frozen=True, slots=True)
class Stop:
    """One way in which a link stops, or stands for the moment. All words but the title may name `Facts.values`."""

    name: str
    applies: Callable[[Facts], bool]
    title: str
    missing: str
    advice: str


def _is_linked(facts: Facts) -> bool:
    return facts.state is LinkState.LINKED


def _is_allowed(facts: Facts) -> bool:
    return facts.is_signed_in and (facts.saw(Sight.ALLOWED) or facts.link.browser == BACK_END)


def _is_unjudged(facts: Facts) -> bool:
    sent = facts.times(Sight.SENT) > len(facts.judged)
    return sent and facts.last(Sight.SENT) < facts.link.expires_at


STOPS = (
    Stop(
        "ended",
        lambda facts: _is_linked(facts) and facts.grant is not GrantStatus.ACTIVE,
        "it was linked, and that has ended since",
        "The grant was revoked, or its account erased.",
        "The household links again. `latchkey grants list --household {household}` shows what it has now.",
    ),
    Stop(
        WORKS,
        lambda facts: facts.saw(Sight.USED),
        "linked, and in use",
        "Nothing.",
        "",
    ),
    Stop(
        "given_often",
        lambda facts: facts.times(Sight.DELIVERED) >= GIVEN_OFTEN,
        "Sonos was given the token again and again, and never used it",
        "It was given {given}: the answer does not reach Sonos, or it cannot read it.",
        "Look between gateway and internet for what cuts or changes an answer of one kilobyte: a proxy, a filter, compression, a "
        "limit on headers. `latchkey check PUBLIC-URL/smapi` from outside shows the answer as Sonos gets it.",
    ),
    Stop(
        "not_used",
        lambda facts: facts.saw(Sight.DELIVERED),
        "Sonos was given the token, and no call with it came",
        'The first authenticated call. Where it stays away, the Sonos app says "wasn\'t added. Something went wrong".',
        "Sonos took the token and gave up. Run `latchkey check PUBLIC-URL/smapi`: it names what Sonos does not take. What remains is on "
        "Sonos's side of it: strings and presentation map that are not uploaded, an endpoint in the portal that is not this one, or a "
        "content endpoint that answers the first getMetadata with a fault.",
    ),
    Stop(
        "wrong_device",
        lambda facts: _is_linked(facts) and facts.saw(Sight.WRONG_DEVICE),
        "linked, but polls come without the right linkDeviceId",
        "A poll that brings back the linkDeviceId it was given with the code.",
        'Sonos\'s own apps bring it. A controller by somebody else sends its serial number: `link.device_id = "checked_if_sent"` or '
        '`"ignored"` lets it in.',
    ),
    Stop(
        "not_answered",
        lambda facts: _is_linked(facts) and facts.last(Sight.UNAVAILABLE) >= facts.linked_at,
        "linked, but polls could not be answered",
        "An answer to a poll: they got ServiceUnavailable.",
        "The gateway could not read the database, or could not open what token_worker sealed: `/readyz` and the log of the gateway say which. All "
        "gateways need the same `gateway.json`.",
    ),
    Stop(
        "stopped_polling",
        lambda facts: _is_linked(facts) and facts.saw(Sight.RETRY),
        "linked, but Sonos had stopped asking before",
        "A poll after the person was done. That took {waited}; Sonos had asked for the last time {silent} before.",
        "Sonos asks for about seven minutes, and only while its app is open. Add the service again, and stay in the Sonos app. If it happens often, "
        "make signing in shorter.",
    ),
    Stop(
        "never_polled",
        _is_linked,
        "linked, but Sonos never asked for the token",
        "Any poll at all.",
        "Polls may go elsewhere: the endpoint registered with Sonos has to be PUBLIC-URL/smapi, reachable on port 443 from the internet, since "
        "Sonos's cloud asks and not the phone. Or the Sonos app was closed.",
    ),
    Stop(
        "declined",
        lambda facts: facts.state is LinkState.DECLINED,
        "the person declined",
        "Somebody who allows it.",
        "If they did not ask for it themselves, somebody may have sent them the link: nothing to mend. Otherwise they start again in the Sonos app.",
    ),
    Stop(
        "disabled_meanwhile",
        lambda facts: (
            facts.did("link.not_allowed") or (facts.state is LinkState.FAILED and facts.did("link.vouched"))
        ),
        "the account is disabled",
        "An account that may be used.",
        "`latchkey accounts enable NAME`, or whatever disabled it, then start again in the Sonos app.",
    ),
    Stop(
        "burnt",
        lambda facts: facts.state is LinkState.FAILED and facts.outcome == "refused",
        "too many wrong passwords",
        "The right password: it was wrong {refused}.",
        "A new link from the Sonos app begins anew. If the person is sure of the password, look whether the provider `{provider}` knows it under "
        "another name.",
    ),
    Stop(
        "name_taken",
        lambda facts: facts.state is LinkState.FAILED,
        "the link was ended before anybody signed in",
        "A code of its own: the short one was another link's.",
        "It happens once in hundreds of millions. Start again in the Sonos app.",
    ),
    Stop(
        "superseded",
        lambda facts: facts.did("link.superseded"),
        "the same device asked for a newer link",
        "Nothing of this link: whoever is waiting waits for the newer one.",
        "`latchkey links show --household {household}` shows it.",
    ),
    Stop(
        "not_minted",
        _is_allowed,
        "the person allowed it, and no token was minted",
        "token_worker's part.",
        "Is token_worker running, and does its queue `token.mint` get shorter? `latchkey dead list` shows what it could not do.",
    ),
    Stop(
        "taken",
        lambda facts: facts.is_signed_in and facts.outcome == "taken",
        "two browsers signed in, and the first has not allowed it",
        "A word of the browser that signed in first; only that one may allow.",
        "Go back to the first browser, or start again in the Sonos app. Somebody who opens a link that was sent to them meets this.",
    ),
    Stop(
        "not_confirmed",
        lambda facts: facts.is_signed_in,
        "somebody signed in, and neither allowed nor declined",
        "The person's word on the page that asks.",
        'They closed the page too soon, or did not see that it asks. The page has to be looked at until it says "done".',
    ),
    Stop(
        "not_judged",
        _is_unjudged,
        "somebody signed in, and nobody judged it",
        "auth_worker's part.",
        "Is auth_worker running, and does its queue `auth.login` get shorter? `latchkey dead list` shows what it could not do.",
    ),
    Stop(
        "limited",
        lambda facts: facts.outcome == "limited" or facts.saw(Sight.LIMITED),
        "too many wrong passwords lately, so that nobody looked",
        "A sign-in after the wait.",
        "Wait as long as the page says; an owner is let in earlier from a network or browser that is known. See docs/limits.md.",
    ),
    Stop(
        "provider_away",
        lambda facts: facts.outcome == "unavailable" or facts.saw(Sight.AWAY),
        "the identity provider did not answer",
        "An answer of `{provider}`.",
        'Look for "provider unavailable" in the log of auth_worker: it says what it asked and what came back. The person may try again meanwhile.',
    ),
    Stop(
        "not_allowed",
        lambda facts: facts.outcome == "not_allowed",
        "the account may not be used with Sonos",
        "An account of another tier, or one that is not disabled.",
        "The provider `{provider}` knows the person and says no: look at its mapping of tiers, and whether the account is disabled.",
    ),
    Stop(
        "incomplete",
        lambda facts: facts.outcome == "incomplete",
        "what came back from the provider proved nothing",
        "A code or ID token of `{provider}` that holds.",
        'Look for "sign-in incomplete" in the log of auth_worker. Most often client secret, redirect address or issuer differ from what the provider has, or a '
        "clock is wrong.",
    ),
    Stop(
        "wrong_password",
        lambda facts: facts.outcome == "refused",
        "wrong name or password",
        "The right password: it was refused {refused}.",
        "The person gave up before the link was ended. Can they sign in elsewhere with the same name and password? Is `{provider}` the right provider?",
    ),
    Stop(
        "turned_away",
        lambda facts: facts.saw(Sight.TURNED_AWAY),
        "the provider sent the browser back with an error",
        "Somebody who signs in at `{provider}`, which said {error}.",
        "`access_denied` is a person who said no there, or whom it does not let in. Any other error is about how Latchkey is registered with it: redirect "
        "address, scopes, client.",
    ),
    Stop(
        "not_back",
        lambda facts: facts.saw(Sight.LEFT),
        "the browser went to the provider and did not come back",
        "The browser, with a code.",
        "The person stopped there, or the provider shows an error page: redirect address PUBLIC-URL/callback/{provider} not registered, client unknown. "
        "Follow the way once yourself.",
    ),
    Stop(
        "not_signed_in",
        lambda facts: facts.saw(Sight.PAGE),
        "the page was opened, and nobody signed in",
        "Somebody who signs in. The page was opened {opened}.",
        "They did not know with what to sign in, or left. Does the page say whose account is meant? Some apps open links beforehand, to show what is behind them.",
    ),
    Stop(
        "not_typed",
        lambda facts: any(event.detail.get("typed") for event in facts.happened),
        "nobody typed the code",
        "The code, typed on PUBLIC-URL/enter.",
        "Did Sonos show code and address? It does so only for services registered with a code to type (`showLinkCode`).",
    ),
    Stop(
        "not_opened",
        lambda facts: facts.polls > 0,
        "Sonos polled, and nobody opened the page",
        "A browser that opens the address Sonos was given. Sonos polled {polls}.",
        "The Sonos app did not open the browser, or the browser could not reach the page: open PUBLIC-URL from a phone outside your network. A `regUrl` that "
        "is not https, or has a certificate that phones do not trust, does it; so does a person who put the app away.",
    ),
    Stop(
        "nothing_came",
        lambda facts: True,
        "Sonos was given a code, and nothing came of it",
        "A browser that opens the page, and Sonos's polls.",
        "The Sonos app did not take the answer, or was closed at once. `latchkey check PUBLIC-URL/smapi` names what it does not take: length of the link "
        "code, missing elements, a certificate chain that is not whole.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to make of a link, in words."""

    stop: str
    """Name of the row of `STOPS`."""
    is_open: bool
    """It may still go on by itself: its time is not over, and nobody ended it."""
    title: str
    missing: str
    advice: str

    @property
    def headline(self) -> str:
        """Return the title, with how final it is."""
        if self.stop == WORKS:
            return f"{self.title[0].upper()}{self.title[1:]}."
        return f"{'So far' if self.is_open else 'Stopped'}: {self.title}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A link's timeline, and what to make of it."""

    trail: Trail
    steps: tuple[Step, ...]
    verdict: Verdict


def verdict(trail: Trail) -> Verdict:
    """Return what to make of a trail."""
    facts = Facts(trail)
    stop = next(stop for stop in STOPS if stop.applies(facts))
    values = facts.values()
    return Verdict(
        stop=stop.name,
        is_open=facts.is_open and stop.name != WORKS,
        title=stop.title,
        missing=stop.missing.format_map(values),
        advice=stop.advice.format_map(values),
    )


def story(trail: Trail) -> Story:
    """Return a link's timeline, and what to make of it."""
    return Story(trail=trail, steps=steps(trail), verdict=verdict(trail))
