"""Where people sign in: identity providers, and the texts that Sonos shows on the way there."""

from deploy.doctor.lines import Verdict, check, unless
from deploy.doctor.seen import Seen, Skipped
from deploy.sonos import strings, words


@check(
    "providers.reachable",
    way_out="Start the provider, correct its address, or let this machine reach it; its page under docs/providers says more.",
)
def reachable(seen: Seen) -> Verdict:
    """Every identity provider answers, and is what the settings say."""
    if not seen.providers:
        raise Skipped("people sign in with accounts of this installation")
    problems = [f"{each.name}: {each.failure}" for each in seen.providers if each.failure]
    return unless(problems, ", ".join(each.name for each in seen.providers))


@check(
    "providers.redirect",
    way_out="Register exactly this redirect URI with the provider, for the client id of the settings.",
)
def redirect(seen: Seen) -> Verdict:
    """Every provider that people are sent to knows us, and where to send them back to."""
    asked = [each for each in seen.providers if each.redirect_uri and not each.failure]
    if not asked:
        raise Skipped("nobody is sent to a provider")
    problems = [f"{each.name}: {each.refusal} for {each.redirect_uri}" for each in asked if each.refusal]
    return unless(problems, ", ".join(each.redirect_uri for each in asked))


@check("strings.ids", way_out="Correct the ids in the settings: 1 to 64 letters, digits, _ and -.")
def ids(seen: Seen) -> Verdict:
    """Sonos can look up every text that the settings name."""
    named = {name for service in seen.settings.services.values() for name in words.wanted(service)}
    unfit = sorted(name for name in named if not strings.STRING_ID.fullmatch(name))
    return unless([f"{name!r} is no id" for name in unfit], ", ".join(sorted(named)))


@check("strings.uploaded", way_out="`latchkey sonos export`, and upload its strings.json: docs/sonos.md.")
def uploaded(seen: Seen) -> Verdict:
    """Sonos was given a text for each of them, in each of its languages."""
    texts = seen.told.strings
    if texts is None:
        raise Skipped("say which file Sonos was given: --strings FILE")
    problems = [
        problem for service in seen.settings.services.values() for problem in strings.problems(texts, service)
    ]
    return unless(list(dict.fromkeys(problems)), f"{len(texts)} languages")


CHECKS = (reachable, redirect, ids, uploaded)
