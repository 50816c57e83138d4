"""A private authority, and certificates by it, made anew by each test that wants TLS."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
HERE = "127.0.0.1"


class Authority:
    """Who signs certificates; its own is in `root`."""

    def __init__(self, folder: Path) -> None:
        """Make its key, which stays in memory, and its certificate, in *folder*."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(
            self._key,
            x509.BasicConstraints(ca=True, path_length=0),
            _usage(signs_certificates=True),
            common_name="authority",
        )
        #: The file with its certificate.
        self.root = folder / "root.pem"
        self.root.write_bytes(self._certificate.public_bytes(PEM))

    def issue(self, address: str = HERE) -> tuple[Path, Path]:
        """Make a server's certificate for an IP address and return its file and that of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            key,
            x509.BasicConstraints(ca=False, path_length=None),
            _usage(signs_certificates=False),
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
            common_name="server",
        )
        files = self._folder / "server.pem", self._folder / "server.key"
        files[0].write_bytes(certificate.public_bytes(PEM))
        # PostgreSQL refuses a key that others may read.
        files[1].touch(mode=0o600)
        files[1].write_bytes(
            key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return files

    def _sign(
        self, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType, common_name: str
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(_name("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            # Python 3.13 asks for both.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        for extension in extensions:
            builder = builder.add_extension(
                extension, critical=not isinstance(extension, x509.SubjectAlternativeName)
            )
        return builder.sign(self._key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
