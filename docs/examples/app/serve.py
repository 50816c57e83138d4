"""The example app and a make-believe issuer of access tokens: `python docs/examples/app/serve.py`. For trying out alone.

It signs whoever says a name in, so it listens on this machine only. Its key lives as long as the process.
"""

import argparse
import json
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

PAGE = Path(__file__).with_name("app.html")
AUDIENCE = "latchkey"
KEY = ECKey.generate_key("P-256", {"kid": "example", "use": "sig"})


class Example(BaseHTTPRequestHandler):
    """`/` is the app, `/jwks.json` the issuer's keys, and `/token` signs somebody in."""

    issuer, latchkey = "", ""

    def do_GET(self) -> None:
        """Serve the page and the keys."""
        path = urlsplit(self.path).path
        if path == "/":
            page = PAGE.read_text().replace("http://127.0.0.1:8080", self.latchkey)
            self._answer("text/html; charset=utf-8", page)
        elif path == "/jwks.json":
            self._answer("application/json", json.dumps({"keys": [KEY.as_dict(private=False)]}))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Give a token to whoever says a name."""
        address = urlsplit(self.path)
        name = parse_qs(address.query).get("name", [""])[0]
        if address.path != "/token" or not name:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": name.lower(),
            "preferred_username": name,
            "exp": int(time.time()) + 300,
        }
        token = jwt.encode({"alg": "ES256", "kid": "example", "typ": "at+jwt"}, claims, KEY)
        self._answer("text/plain", token)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: addresses hold link codes."""

    def _answer(self, content_type: str, content: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content.encode())


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--latchkey", default="http://127.0.0.1:8080", help="where the gateway is")
    options = parser.parse_args()
    Example.latchkey = options.latchkey.rstrip("/")
    Example.issuer = f"http://127.0.0.1:{options.port}"
    with ThreadingHTTPServer(("127.0.0.1", options.port), Example) as server:
        print(f"The example app is at {Example.issuer}/?code=LINKCODE", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
