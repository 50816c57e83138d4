"""The way to a service: what the checks say of certificates, versions, cipher suites and curves, each on a real server."""

import datetime as dt
import ipaddress
import os
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from deploy.check.client import SystemClock
from deploy.check.probe import Options
from deploy.check.report import Mode, State
from deploy.check.run import run
from deploy.check.table import selected
from shared.context import SystemClock as Machine

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
FAULT = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>Client.No</faultcode>'
    "<faultstring>no</faultstring></e:Fault></e:Body></e:Envelope>"
)
EVERY_SUITE = {"tls.s2", "tls.s1", "tls.curve"}


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    key: Key, issuer_key: Key, *, name: str, days: int, authority: bool = False
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        address = x509.IPAddress(ipaddress.ip_address(name))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


@asynccontextmanager
async def serving(
    folder: Path, authority: Key, key: Key, *, name: str, days: int, prepare: Callable[[ssl.SSLContext], None]
) -> AsyncIterator[str]:
    leaf = certificate(key, authority, name=name, days=days)
    root = certificate(authority, authority, name="authority", days=900, authority=True)
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "key.pem")
    prepare(context)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, text=FAULT, content_type="text/xml")

    app = web.Application()
    app.add_routes([web.post("/smapi", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        port = site._server.sockets[0].getsockname()[1]
        yield f"https://127.0.0.1:{port}/smapi"
    finally:
        await runner.cleanup()


def nothing(_: ssl.SSLContext) -> None: ...


def only_tls_13(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def only_rsa_key_exchange(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:AES256-GCM-SHA384")


def another_curve(context: ssl.SSLContext) -> None:
    context.set_ecdh_curve("secp384r1")


def old_versions(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, set()),
        ({"trusted": False}, {"tls.chain"}),
        ({"name": "127.0.0.2"}, {"tls.chain"}),
        ({"days": 10}, {"tls.days"}),
        ({"days": -1}, {"tls.days", "tls.chain"}),
        ({"elliptic": True}, {"tls.s1"}),
        ({"prepare": only_tls_13}, EVERY_SUITE),
        ({"prepare": only_rsa_key_exchange}, EVERY_SUITE),
        ({"prepare": another_curve}, {"tls.curve"}),
        ({"prepare": old_versions}, {"tls.old-versions"}),
    ],
    ids=[
        "nothing wrong",
        "untrusted",
        "another name",
        "few days",
        "no days",
        "elliptic",
        "TLS 1.3 alone",
        "RSA key exchange alone",
        "another curve",
        "old versions",
    ],
)
async def test_what_is_wrong_with_the_way_there(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey, case: dict[str, object], expected: set[str]
) -> None:
    """Each fault is found alone, and nothing is found where there is none."""
    key = ec.generate_private_key(ec.SECP256R1()) if case.get("elliptic") else rsa_key
    async with serving(
        tmp_path,
        rsa_key,
        key,
        name=str(case.get("name", "127.0.0.1")),
        days=int(str(case.get("days", 90))),
        prepare=case.get("prepare", nothing),  # type: ignore[arg-type]
    ) as address:
        report = await run(
            address,
            selected(("tls",), ()),
            options=Options(ca_file=str(tmp_path / "root.pem") if case.get("trusted", True) else None),
            mode=Mode.APP_LINK,
            clock=SystemClock(Machine()),
            random=os.urandom,
            sign_in=lambda _: None,
        )
    found = {finding.about.check_id: finding.said for finding in report.findings}

    assert expected == set(found), found
    assert ["tls.https"] == [o.about.check_id for o in report.outcomes if o.state is State.SKIPPED]
