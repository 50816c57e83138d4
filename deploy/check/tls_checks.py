"""The way to the service: https, its certificate, its versions and cipher suites, as Sonos's page "Security" asks for them."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from cryptography import x509

from deploy.check import sources
from deploy.check.checks import check
from deploy.check.client import CONNECT_SECONDS
from deploy.check.probe import Probe
from deploy.check.reading import Skipped
from deploy.check.report import EVERY, Severity

# Sonos documentation, "Security": what S1 players offer, with curve secp256r1, and what S2 players add.
_S1 = ("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256")
_S2 = (
    *_S1,
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
)
FEWEST_DAYS = 30
_DAY = 86400


class _Refused(Exception):
    """No handshake; the message is OpenSSL's."""


async def _handshake(endpoint: str, make: Callable[[], ssl.SSLContext]) -> bytes:
    """Shake hands and return the certificate of the server, in DER.

    Raises:
        _Refused: it came to nothing.
    """
    parts = urlsplit(endpoint)
    if parts.scheme != "https":
        raise Skipped("plain http")
    host = parts.hostname or ""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(
                host, parts.port or 443, ssl=make(), server_hostname=host
            )
    except (ssl.SSLError, OSError, TimeoutError) as error:
        raise _Refused(getattr(error, "verify_message", "") or str(error) or type(error).__name__) from None
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    return bytes(certificate)


def verifying(ca_file: str | None) -> ssl.SSLContext:
    """Return what verifies certificates, and otherwise takes more than Python by itself: suites are checked elsewhere."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_ciphers("DEFAULT")
    return context


def _careless(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")


async def holds(endpoint: str, ca_file: str | None) -> bool:
    """Tell whether the certificate is one that clients accept; without https there is none to doubt."""
    try:
        await _handshake(endpoint, lambda: verifying(ca_file))
    except Skipped:
        return True
    except _Refused:
        return False
    return True


def _unverified(prepare: Callable[[ssl.SSLContext], None] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if prepare is not None:
        prepare(context)
    return context


def _offering(*suites: str) -> Callable[[ssl.SSLContext], None]:
    def prepare(context: ssl.SSLContext) -> None:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(":".join(suites))

    return prepare


def _old(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        # Python warns of versions that are out of date; whether they are accepted is what is asked here.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")


async def _unless_offered(probe: Probe, prepare: Callable[[ssl.SSLContext], None], what: str) -> str | None:
    try:
        await _handshake(probe.client.endpoint, lambda: _unverified(prepare))
    except _Refused as refused:
        return f"no handshake with {what}: {refused}"
    return None


@check(
    "tls.https",
    sonos="Sonos calls the secure endpoint over https only, and its cloud reaches no other port than 443: others fail silently.",
    way_out="Put the endpoint behind https on port 443.",
    source=sources.SECURITY,
    modes=EVERY,
)
async def https(probe: Probe) -> str | None:
    """The endpoint is https on port 443."""
    parts = urlsplit(probe.client.endpoint)
    if probe.is_local:
        raise Skipped("the service runs on this machine")
    if parts.scheme != "https":
        return "it is plain http"
    return f"it is on port {parts.port}" if parts.port not in {None, 443} else None


@check(
    "tls.chain",
    sonos="Players hold few root certificates, ask a service of Sonos's for others, and fetch no intermediate ones.",
    way_out="Serve the full chain of a well-known authority, for the name that Sonos calls.",
    source=sources.SECURITY,
    modes=EVERY,
)
async def chain(probe: Probe) -> str | None:
    """The certificate is for this name, and its chain leads to a known root."""
    try:
        await _handshake(probe.client.endpoint, lambda: verifying(probe.options.ca_file))
    except _Refused as refused:
        return str(refused)
    return None


@check(
    "tls.days",
    sonos="Sonos's self test asks for 30 days; after the last one every household is cut off.",
    way_out="Renew it, and have it renewed by itself.",
    source=sources.SELF_TEST,
    modes=EVERY,
)
async def days(probe: Probe) -> str | None:
    """The certificate is good for more than thirty days."""
    try:
        certificate = x509.load_der_x509_certificate(
            await _handshake(probe.client.endpoint, lambda: _unverified(_careless))
        )
    except _Refused as refused:
        return str(refused)
    left = (certificate.not_valid_after_utc.timestamp() - probe.clock.now()) / _DAY
    probe.figures["certificate: days left"] = left
    return f"{left:.0f} days are left" if left <= FEWEST_DAYS else None


@check(
    "tls.s2",
    sonos="S2 players and Sonos's cloud offer TLS 1.2 with six cipher suites; without one of them there is no connection.",
    way_out="Offer TLS 1.2 with ECDHE-RSA or ECDHE-ECDSA and AES-GCM or ChaCha20.",
    source=sources.SECURITY,
    modes=EVERY,
)
async def s2(probe: Probe) -> str | None:
    """TLS 1.2 with one of the cipher suites of S2."""
    return await _unless_offered(probe, _offering(*_S2), "TLS 1.2 and the cipher suites of S2")


@check(
    "tls.s1",
    sonos="S1 players offer two cipher suites, both with RSA; a certificate with an elliptic key alone does not serve them.",
    way_out="Offer ECDHE-RSA with AES-GCM, beside others: with a certificate that has an RSA key.",
    source=sources.SECURITY,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def s1(probe: Probe) -> str | None:
    """TLS 1.2 with one of the cipher suites of S1."""
    return await _unless_offered(probe, _offering(*_S1), "TLS 1.2 and the cipher suites of S1")


@check(
    "tls.curve",
    sonos="S1 players know the curve secp256r1 alone.",
    way_out="Offer secp256r1 (prime256v1) among your curves.",
    source=sources.SECURITY,
    modes=EVERY,
)
async def curve(probe: Probe) -> str | None:
    """The curve secp256r1."""

    def prepare(context: ssl.SSLContext) -> None:
        _offering(*_S2)(context)
        context.set_ecdh_curve("prime256v1")

    return await _unless_offered(probe, prepare, "TLS 1.2 and secp256r1")


@check(
    "tls.old-versions",
    sonos="Sonos asks for TLS 1.2; what is older is of use to attackers alone.",
    way_out="Turn TLS 1.0 and 1.1 off.",
    source=sources.SECURITY,
    severity=Severity.WARNING,
    modes=EVERY,
)
async def old_versions(probe: Probe) -> str | None:
    """TLS 1.0 and 1.1 are refused."""
    try:
        await _handshake(probe.client.endpoint, lambda: _unverified(_old))
    except _Refused:
        return None
    return "one of them is accepted"


CHECKS = (https, chain, days, s2, s1, curve, old_versions)
