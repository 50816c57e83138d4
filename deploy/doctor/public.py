"""The public address: what Sonos and browsers reach, seen from here."""

from deploy.doctor.lines import Verdict, check, ok, unless, wrong
from deploy.doctor.seen import Seen, Skipped, Unseen, known


@check(
    "public.reachable",
    way_out="Start the gateway, lead the proxy and the name there, or correct LATCHKEY_PUBLIC_URL. A router that cannot reach its own outside "
    "address needs an entry for the name inside.",
)
def reachable(seen: Seen) -> Verdict:
    """The public address answers."""
    if isinstance(seen.public, Unseen):
        return wrong(seen.public.reason)
    return ok(seen.settings.public_url)


@check(
    "public.ours",
    way_out="Lead LATCHKEY_PUBLIC_URL to this installation, and give every process the same public.json.",
)
def ours(seen: Seen) -> Verdict:
    """What answers there is this installation: it has our public keys."""
    public, keys = known(seen.public), known(seen.keys)
    if not keys.public_ids:
        raise Skipped("no public.json to compare with")
    if public.key_ids is None:
        return wrong("there are no keys at /.well-known/jwks.json")
    strange = sorted(keys.public_ids ^ public.key_ids)
    return unless([f"only one of the two has the key {key_id}" for key_id in strange], "the same keys")


@check(
    "public.smapi",
    way_out="Let the proxy pass POST /smapi and what is below it on unchanged, bodies and the headers SOAPAction and Authorization included.",
)
def smapi(seen: Seen) -> Verdict:
    """Every service answers there as SMAPI does."""
    endpoints = known(seen.public).endpoints
    problems = [f"{endpoint}: {answer}" for endpoint, answer in endpoints.items() if answer]
    return unless(problems, ", ".join(endpoints))


@check(
    "public.registered",
    way_out="Register exactly this address with Sonos, or set LATCHKEY_PUBLIC_URL to the one that is registered.",
)
def registered(seen: Seen) -> Verdict:
    """The endpoint that Sonos was given is ours, letter for letter."""
    if not seen.told.registered:
        raise Skipped("say what Sonos was given: --registered URL")
    ours = [seen.settings.endpoint(name) for name in seen.settings.services]
    strange = [f"{url} is not {' or '.join(ours)}" for url in seen.told.registered if url not in ours]
    return unless(strange, ", ".join(seen.told.registered))


CHECKS = (reachable, ours, smapi, registered)
