"""TLS to PostgreSQL: what libpq calls the parameters of a URL, for a driver that takes them in a DSN alone."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlencode

from sqlalchemy import URL

PARAMETERS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation")
"""PostgreSQL manual, 32.1.2. `ssl_min_protocol_version` and its like are the platform's."""

_ADVICE = (
    "; `sslrootcert` in database_url names a file with the certificate of the authority that signed the server's, "
    "and the host there is a name that the server's certificate has (docs/tls.md)"
)


def split(url: URL) -> tuple[URL, Mapping[str, str]]:
    """Return a URL without these parameters, and what asyncpg is to be given for them: nothing, or `dsn`.

    SQLAlchemy hands every parameter on as an argument, and asyncpg has none of these names; in a DSN it knows them all. What stands in
    both, such as the host, it takes from the arguments.
    """
    chosen = {name: url.query[name] for name in PARAMETERS if name in url.query}
    if not chosen:
        return url, {}
    return url.difference_update_query(chosen), {"dsn": f"postgresql://?{urlencode(chosen, doseq=True)}"}


def advice(error: BaseException | None) -> str:
    """Return what to do about a certificate that was refused; empty for all else."""
    return _ADVICE if isinstance(error, ssl.SSLCertVerificationError) else ""
