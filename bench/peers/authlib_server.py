"""Authlib in Flask, with a public client, the device flow, and codes that nobody has confirmed yet."""

import os
import secrets
import time
from pathlib import Path

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceCodeGrant, DeviceCredentialDict
from flask import Flask

app = Flask(__name__)

_EXPIRES_IN = 3600
_CODES = {
    code: DeviceCredentialDict(
        device_code=code,
        client_id="bench",
        user_code=code[:8],
        scope="profile",
        expires_at=time.time() + _EXPIRES_IN,
        interval=0,
    )
    for code in (secrets.token_urlsafe(32) for _ in range(200))
}


class Client(ClientMixin):
    """The one public client."""

    def get_client_id(self):
        return "bench"

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "none"

    def check_grant_type(self, grant_type):
        return grant_type == DEVICE_CODE_GRANT_TYPE


class Pending(DeviceCodeGrant):
    """Codes that nobody has confirmed."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def query_device_credential(self, device_code):
        return _CODES.get(device_code)

    def query_user_grant(self, user_code):
        return None

    def should_slow_down(self, credential):
        return False


server = AuthorizationServer(
    app, query_client=lambda client_id: Client() if client_id == "bench" else None, save_token=print
)
server.register_grant(Pending)


@app.post("/token")
def token():
    return server.create_token_response()


Path(os.environ["BENCH_MADE"]).write_text("".join(f"{code}\n" for code in _CODES))
