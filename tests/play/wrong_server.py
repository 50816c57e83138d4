"""A SMAPI service written with another SOAP library, spyne, that can be made wrong in many ways, one by one.

    python -m tests.play.wrong_server PORT FILE

`PUT /wrong` with a JSON list of names of `wrongs.WRONGS` forgets everything and is wrong in these ways from then on; `PUT /clock` with a
number of seconds lets that time pass; how much has passed stands in FILE. Nothing here takes time by sleeping. With nothing switched on it is right. It shares no code with Latchkey.
"""

import base64
import hashlib
import hmac
import html
import json
import logging
import re
import secrets
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

from lxml import etree
from spyne import Application, Boolean, ComplexModel, Fault, Integer, Service, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

from tests.play.wrongs import WRONGS

NS = "http://www.sonos.com/Services/1.1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NAME, PASSWORD = "ann", "canary-password-of-ann"
LINK_SECONDS, TOKEN_SECONDS = 600, 900
SLOW_SECONDS = 30


@dataclass
class Link:
    code: str
    device: str
    household: str
    asked: dict
    born: float
    pair: "Pair | None" = None
    device_id: str = ""


@dataclass
class Pair:
    token: str
    key: str
    household: str
    device_id: str = ""
    user_hash: str = ""
    successor: "Pair | None" = None
    refreshes: int = 0
    is_dead: bool = False
    expires: float = 0.0


@dataclass
class State:
    wrong: set = field(default_factory=set)
    passed: float = 0.0
    links: dict = field(default_factory=dict)
    pairs: dict = field(default_factory=dict)
    sessions: set = field(default_factory=set)
    polls: Counter = field(default_factory=Counter)
    number: int = 100000
    linked: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self):
        return time.time() + self.passed


state = State()
SECRET = secrets.token_bytes(32)


def passes(seconds):
    """Let time go by, for whoever measures it as well."""
    with state.lock:
        state.passed += seconds
        file = Path(sys.argv[2])
        new = file.with_suffix(".new")
        new.write_text(str(state.passed))
        new.replace(file)


def wrong(name):
    assert name in WRONGS, name
    return name in state.wrong


# --- the shapes


class _Smapi(ComplexModel):
    __namespace__ = NS


class DeviceLink(_Smapi):
    _type_info: ClassVar = [
        ("regUrl", Unicode),
        ("linkCode", Unicode),
        ("showLinkCode", Boolean),
        ("linkDeviceId", Unicode),
    ]


class AppLinkInfo(_Smapi):
    _type_info: ClassVar = [("appUrlStringId", Unicode), ("deviceLink", DeviceLink)]


class AppLink(_Smapi):
    _type_info: ClassVar = [("authorizeAccount", AppLinkInfo)]


class UserInfo(_Smapi):
    _type_info: ClassVar = [("userIdHashCode", Unicode), ("accountTier", Unicode), ("nickname", Unicode)]


class TokenPair(_Smapi):
    _type_info: ClassVar = [("authToken", Unicode), ("privateKey", Unicode), ("userInfo", UserInfo)]


class LastUpdate(_Smapi):
    _type_info: ClassVar = [("catalog", Unicode), ("favorites", Unicode), ("pollInterval", Integer)]


class MediaList(_Smapi):
    _type_info: ClassVar = [("index", Integer), ("count", Integer), ("total", Integer)]


def fault(code, string="It cannot be done", number=None, info="Start again", detail=None):
    if wrong("revoked-has-number") and code == "Client.AuthTokenExpired":
        number = 999
    if number is not None:
        prefix = "" if wrong("fault-detail-bare") else f"{{{NS}}}"
        detail = {f"{prefix}SonosError": str(number), f"{prefix}ExceptionInfo": info}
    if wrong("fault-without-client") and code == "Client.MethodNotSupported":
        code = code.partition(".")[2]
    if wrong("fault-leaks"):
        string = 'Traceback (most recent call last):\n  File "/srv/app.py", line 7, in handle'
    return Fault(code, string, detail=detail)


def failure():
    return fault("Client.NOT_LINKED_FAILURE", number=None if wrong("failure-without-6") else 6)


# --- who is asking


def sent(ctx, *names):
    """The text of an element in the SOAP header, by local names; None where it is not there."""
    for header in ctx.in_document.iter(f"{{{SOAP}}}Header"):
        path = "/".join(f"*[local-name()='{name}']" for name in names)
        found = header.xpath(f"./*[local-name()='credentials']/{path}")
        return (found[0].text or "").strip() if found else None
    return None


def kind_of(ctx):
    return ctx.transport.req["PATH_INFO"].strip("/")


def token_of(ctx):
    token = None if wrong("header-token-ignored") else sent(ctx, "loginToken", "token")
    authorization = ctx.transport.req.get("HTTP_AUTHORIZATION", "")
    if not token and authorization.startswith("Bearer ") and not wrong("bearer-ignored"):
        token = authorization.removeprefix("Bearer ")
    return token


def known_pair(token):
    """The pair of a token whose signature holds."""
    if wrong("token-unsigned") and token.count(".") == 2:
        return next((p for t, p in state.pairs.items() if t.split(".")[1] == token.split(".")[1]), None)
    return state.pairs.get(token)


def caller(ctx):
    """Whose token it is; refuses, and renews what is stale."""
    token = token_of(ctx)
    if not token:
        raise fault("Server.ServiceUnknownError" if wrong("no-token-untyped") else "Client.LoginUnauthorized")
    pair = known_pair(token)
    if pair is None:
        raise fault("Client.LoginUnauthorized")
    if pair.is_dead and not wrong("revoked-lives"):
        raise fault("Client.AuthTokenExpired")
    if wrong("key-demanded") and sent(ctx, "loginToken", "key") != pair.key:
        raise fault("Client.LoginUnauthorized")
    if wrong("household-compared") and sent(ctx, "loginToken", "householdId") != pair.household:
        raise fault("Client.AuthTokenExpired")
    if wrong("device-compared") and sent(ctx, "deviceId") not in {None, pair.device_id}:
        raise fault("Client.AuthTokenExpired")
    if pair.expires <= state.now():
        raise stale(pair)
    return pair


def stale(pair):
    if wrong("stale-is-expired"):
        return fault("Client.AuthTokenExpired")
    new = successor(pair)
    token = "t" + secrets.token_hex(16) if wrong("stale-dead") else new.token
    result = {f"{{{NS}}}authToken": token, f"{{{NS}}}privateKey": new.key}
    detail = {f"{{{NS}}}refreshAuthTokenResult": result}
    if wrong("stale-wrapped"):
        detail = {f"{{{NS}}}refreshAuthTokenResponse": detail}
    string = "Token refresh required" if wrong("stale-string") else "tokenRefreshRequired"
    return fault("Client.TokenRefreshRequired", string, detail=detail)


def new_pair(link, user_hash):
    expires = state.now() + TOKEN_SECONDS
    claims = {"exp": int(expires), "sub": user_hash, "jti": secrets.token_hex(8)}
    if wrong("token-holds-password"):
        claims["serviceToken"] = base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    mac = hmac.new(SECRET, f"{head}.{body}".encode(), hashlib.sha256).hexdigest()
    token = f"{head}.{body}.{mac}"
    if wrong("token-numeric"):
        token = str(secrets.randbelow(10**22) + 10**22)
    if wrong("token-of-3000"):
        token += "a" * (3000 - len(token))
    if wrong("token-is-code"):
        token = link.code
    pair = Pair(
        token=token,
        key="k" + secrets.token_hex(16),
        household=link.household,
        device_id=link.device_id,
        user_hash=user_hash,
        expires=expires,
    )
    state.pairs[token] = pair
    return pair


def successor(pair):
    with state.lock:
        pair.refreshes += 1
        if pair.successor is None:
            link = Link(
                code=new_code(""),
                device="",
                household=pair.household,
                asked={},
                born=0,
                device_id=pair.device_id,
            )
            pair.successor = new_pair(link, "0" * 32 if wrong("refresh-changes-hash") else pair.user_hash)
            if wrong("refresh-dead"):
                del state.pairs[pair.successor.token]
        return pair.successor


def as_result(pair, *, with_key=True):
    user_hash = "ann@example.com" if wrong("hash-is-address") else pair.user_hash
    nickname = "Ann " * 15 if wrong("nickname-of-60") else "Ann"
    tier = "premium" if wrong("tier-of-2017") else "paidPremium"
    info = UserInfo(userIdHashCode=user_hash, accountTier=tier, nickname=nickname)
    return TokenPair(
        authToken=pair.token,
        privateKey=pair.key if with_key else None,
        userInfo=None if wrong("no-user-info") else info,
    )


# --- links


def new_code(household):
    if wrong("code-of-36"):
        text = secrets.token_hex(16)
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    if wrong("code-of-8-bare"):
        return "a" + secrets.token_hex(4)[:7]
    if wrong("code-numeric"):
        return str(secrets.randbelow(10**20) + 10**20)
    if wrong("code-counts"):
        state.number += 1
        return f"code{state.number:026d}"
    if wrong("code-of-household"):
        return "a" + hashlib.sha256(household.encode()).hexdigest()[:31]
    return "a" + secrets.token_hex(15)


def new_link(ctx, household, asked):
    if wrong("stale-token-refused") and sent(ctx, "loginToken", "token"):
        caller(ctx)
    if wrong("household-of-64") and len(household or "") > 64:
        raise fault("Client.LoginInvalid")
    with state.lock:
        code = new_code(household)
        link = Link(
            code=code,
            device="d" + secrets.token_hex(8),
            household=household,
            asked=asked,
            born=state.now(),
            device_id=sent(ctx, "deviceId") or "",
        )
        state.links[code] = link
    return DeviceLink(
        regUrl=f"http://{ctx.transport.req['HTTP_HOST']}/page?linkCode={code}&from=sonos",
        linkCode=code,
        showLinkCode=False,
        linkDeviceId=hidden_half(link),
    )


def hidden_half(link):
    if wrong("code-of-8-bare"):
        return None
    return "" if wrong("hidden-half-empty") else link.device


def life_of_codes():
    if wrong("code-for-ever"):
        return 10**9
    return 120 if wrong("code-too-short-lived") else LINK_SECONDS


def find_link(code):
    if wrong("prefix-of-code") and code:
        return next((link for known, link in state.links.items() if known.startswith(code)), None)
    return state.links.get(code)


def polled(code, device, household):
    """The link that a poll is about, completed; refuses every other."""
    if wrong("upgrade-for-anybody") and not code:
        link = Link(code="", device="", household=household, asked={}, born=state.now())
        link.pair = new_pair(link, user_hash())
        return link
    if wrong("upgrade-untyped") and not code:
        raise fault("Server.ServiceUnknownError")
    link = find_link(code)
    if link is None and code and wrong("retry-for-unknown"):
        raise pending()
    if link is None or state.now() - link.born > life_of_codes():
        raise failure()
    if link.pair is None:
        raise pending()
    if (device or "") != (hidden_half(link) or "") and not wrong("hidden-half-ignored"):
        raise failure()
    return link


def user_hash():
    count = state.linked if wrong("hash-changes") else 0
    return hashlib.md5(f"{NAME} {count}".encode(), usedforsecurity=False).hexdigest()


class Smapi(Service):
    @rpc(Unicode, Unicode, Unicode, Unicode, Unicode, _returns=AppLink, _out_variable_name="getAppLinkResult")
    def getAppLink(ctx, householdId, hardware, osVersion, sonosAppName, callbackPath):  # noqa: N802, N803, N805
        only_links(ctx)
        if wrong("whole-request-demanded") and not hardware:
            raise fault("Client.SchemaValidationError")
        asked = {"hardware": hardware, "osVersion": osVersion, "sonosAppName": sonosAppName}
        label = None if wrong("string-id-missing") else "SIGN_IN"
        info = AppLinkInfo(appUrlStringId=label, deviceLink=new_link(ctx, householdId, asked))
        return AppLink(authorizeAccount=info)

    @rpc(Unicode, _returns=DeviceLink, _out_variable_name="getDeviceLinkCodeResult")
    def getDeviceLinkCode(ctx, householdId):  # noqa: N802, N803, N805
        only_links(ctx)
        return new_link(ctx, householdId, {})

    @rpc(
        Unicode, Unicode, Unicode, Unicode, _returns=TokenPair, _out_variable_name="getDeviceAuthTokenResult"
    )
    def getDeviceAuthToken(ctx, householdId, linkCode, linkDeviceId, callbackPath):  # noqa: N802, N803, N805
        only_links(ctx)
        state.polls[linkCode] += 1
        if wrong("polls-rationed") and state.polls[linkCode] > 20:
            raise fault("Server.ServiceUnavailable")
        if wrong("slow-poll") and state.polls.total() == 1:
            passes(SLOW_SECONDS)
        link = polled(linkCode, linkDeviceId, householdId)
        if wrong("pair-anew"):
            link.pair = new_pair(link, user_hash())
        return as_result(link.pair, with_key=not wrong("no-private-key"))

    @rpc(_returns=TokenPair, _out_variable_name="refreshAuthTokenResult")
    def refreshAuthToken(ctx):  # noqa: N802, N805
        only_links(ctx)
        if wrong("refresh-missing"):
            raise fault("Client.MethodNotSupported")
        pair = state.pairs.get(token_of(ctx))
        if pair is None:
            raise fault("Client.LoginUnauthorized")
        if pair.is_dead and not wrong("revoked-renewed"):
            raise fault("Client.AuthTokenExpired")
        key = sent(ctx, "loginToken", "key")
        if key and key != pair.key and not wrong("refresh-any-key"):
            raise fault("Client.LoginUnauthorized")
        if wrong("refresh-once") and pair.refreshes:
            raise fault("Client.AuthTokenExpired")
        return as_result(successor(pair), with_key=not wrong("refresh-without-key"))

    @rpc(_returns=UserInfo, _out_variable_name="getUserInfoResult")
    def getUserInfo(ctx):  # noqa: N802, N805
        only_links(ctx)
        info = as_result(caller(ctx)).userInfo
        if info is not None and wrong("hash-differs"):
            info.userIdHashCode = "0" * 32
        return info

    @rpc(Unicode, Unicode, _returns=Unicode, _out_variable_name="getSessionIdResult")
    def getSessionId(ctx, username, password):  # noqa: N802, N805
        if kind_of(ctx) == "smapi" and wrong("session-id-for-anybody"):
            return "s" + secrets.token_hex(16)
        if kind_of(ctx) != "session":
            raise fault("Client.MethodNotSupported")
        if username != NAME or (password != PASSWORD and not wrong("session-any-password")):
            raise fault(
                "Client.SessionIdInvalid" if wrong("session-wrong-as-unknown") else "Client.LoginInvalid"
            )
        session = "s" + secrets.token_hex(16)
        if wrong("session-of-200"):
            session += "a" * (200 - len(session))
        state.sessions.add(session)
        return session

    @rpc(_returns=LastUpdate, _out_variable_name="getLastUpdateResult")
    def getLastUpdate(ctx):  # noqa: N802, N805
        if wrong("open-wants-token"):
            caller(ctx)
        check(ctx)
        version = secrets.token_hex(4) if wrong("versions-restless") else "1"
        return LastUpdate(catalog=version, favorites="1", pollInterval=5 if wrong("interval-of-5") else 60)

    @rpc(Unicode, Integer, Integer, _returns=MediaList, _out_variable_name="getMetadataResult")
    def getMetadata(ctx, id, index, count):  # noqa: A002, N802, N805
        check(ctx)
        if token_of(ctx) and wrong("root-missing"):
            raise fault("Client.ItemNotFound")
        return MediaList(index=0, count=0, total=0)

    @rpc(Unicode, _body_style="wrapped")
    def reportAccountAction(ctx, type):  # noqa: A002, N802, N805
        if wrong("action-refused"):
            raise fault("Client.MethodNotSupported")
        check(ctx)


def pending():
    if wrong("pending-untyped"):
        return fault("Server.ServiceUnavailable")
    return fault("Client.NOT_LINKED_RETRY", number=None if wrong("retry-without-5") else 5)


def only_links(ctx):
    if kind_of(ctx) != "smapi":
        raise fault("Client.MethodNotSupported")


def check(ctx):
    """Refuse whoever may not ask, by the kind of service."""
    token = token_of(ctx)
    if token and token not in state.pairs and wrong("unknown-token-empty"):
        return
    {"smapi": caller, "header": check_login, "session": check_session, "open": check_nobody}[kind_of(ctx)](
        ctx
    )


def check_login(ctx):
    name, password = sent(ctx, "login", "username"), sent(ctx, "login", "password")
    if not name:
        raise fault("Client.LoginUnauthorized")
    if (name, password) != (NAME, PASSWORD) and not wrong("header-any-password"):
        raise fault("Client.LoginInvalid")
    if wrong("header-in-vain"):
        raise fault("Client.LoginDisabled")


def check_session(ctx):
    session = sent(ctx, "sessionId")
    if not session and wrong("session-not-needed"):
        return
    if session not in state.sessions:
        raise fault("Client.LoginInvalid" if wrong("session-unknown-login") else "Client.SessionIdInvalid")
    if wrong("session-in-vain"):
        raise fault("Client.LoginUnauthorized")


def check_nobody(ctx):
    if token_of(ctx) and wrong("open-refuses-tokens"):
        raise fault("Client.LoginUnauthorized")


_smapi = WsgiApplication(
    Application([Smapi], tns=NS, name="Smapi", in_protocol=Soap11(), out_protocol=Soap11()),
    max_content_length=16 * 1024 * 1024,
)


# --- around the library: what it leaves to others, and what cannot be made wrong from inside


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path in {"/wrong", "/clock", "/revoke"}:
        return _controlled(environ, start_response)
    if path == "/page":
        return _page(environ, start_response)
    if method != "POST":
        if wrong("get-breaks"):
            return _plain(start_response, "500 Failed", "Traceback (most recent call last):\n")
        return _plain(start_response, "405 Method Not Allowed", "This is a SMAPI endpoint.\n")
    return _soap(environ, start_response)


def _controlled(environ, start_response):
    body = _body(environ)
    if environ["PATH_INFO"] == "/revoke":
        state.pairs[body.decode()].is_dead = True
        return _plain(start_response, "200 OK", "done\n")
    content = json.loads(body)
    if environ["PATH_INFO"] == "/clock":
        passes(content)
    else:
        assert set(content) <= set(WRONGS), content
        state.__init__(wrong=set(content))
        passes(0)
    return _plain(start_response, "200 OK", "done\n")


def _body(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def _plain(start_response, status, text, kind="text/plain"):
    start_response(status, [("Content-Type", f"{kind}; charset=utf-8")])
    return [text.encode()]


def _page(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    link = state.links.get(query.get("linkCode", [""])[0])
    if wrong("page-missing") or link is None:
        return _plain(start_response, "404 Not Found", "<h1>There is no such page</h1>", "text/html")
    if link.pair is not None and not wrong("code-used-twice"):
        return _plain(start_response, "200 OK", "<h1>This code has been used</h1>", "text/html")
    if environ["REQUEST_METHOD"] == "POST":
        sent_form = parse_qs(_body(environ).decode())
        if wrong("link-once") and any(
            each.pair and each.household == link.household for each in state.links.values()
        ):
            return _plain(start_response, "200 OK", "<h1>This household is linked already</h1>", "text/html")
        if (sent_form.get("user"), sent_form.get("pass")) == ([NAME], [PASSWORD]):
            state.linked += 1
            link.pair = new_pair(link, user_hash())
            return _plain(start_response, "200 OK", "<h1>Linked</h1>", "text/html")
    show = str if wrong("page-injects") else html.escape
    text = (
        f"<title>Sign in</title><h1>Sign in</h1><p>For {show(str(link.asked))}</p>"
        '<form method="post"><input type="hidden" name="next" value="/"><input name="user"><input name="pass" type="password">'
        '<button>Log in</button></form><form action="/no"><button>Cancel</button></form>'
    )
    return _plain(start_response, "200 OK", text, "text/html")


def _soap(environ, start_response):
    body = _body(environ)
    action = environ.get("HTTP_SOAPACTION", "")
    if wrong("redirects") and b"getUserInfo" in body:
        start_response("307 Temporary Redirect", [("Location", "/elsewhere")])
        return [b""]
    if wrong("unknown-method-empty") and "NothingOfTheKind" in action:
        return _plain(start_response, "200 OK", "")
    if wrong("device-link-breaks") and "getDeviceLinkCode" in action:
        return _plain(start_response, "500 Internal Server Error", "<h1>Oops</h1>", "text/html")
    body, refusal = _guarded(body)
    if refusal:
        if wrong("rubbish-is-html") and refusal == "rubbish":
            return _plain(start_response, "400 Bad Request", "<h1>Bad Request</h1>", "text/html")
        return _refused(start_response)
    environ["wsgi.input"] = _Input(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    answer = {}

    def collect(status, headers, exc_info=None):
        answer.update(status=status, headers=dict(headers))

    raw = b"".join(_smapi(environ, collect))
    status, headers, raw = _spoilt(answer["status"], answer["headers"], raw)
    headers["Content-Length"] = str(len(raw))
    start_response(status, list(headers.items()))
    return [raw]


class _Input:
    def __init__(self, body):
        self.body = body

    def read(self, count=-1):
        body, self.body = (self.body, b"") if count < 0 else (self.body[:count], self.body[count:])
        return body


def _guarded(body):
    """What the library is given, or why it is not."""
    if body.count(b"=") > 10000 and wrong("attributes-slow"):
        passes(SLOW_SECONDS)
    if len(body) > 65536 and not wrong("size-unbounded"):
        return body, "size"
    if b"<!DOCTYPE" in body:
        if wrong("entities"):
            return _resolved(body)
        if wrong("entities-outside"):
            return re.sub(rb"^.*?\]>", b"", body, flags=re.DOTALL).replace(b"&e;", b"").replace(
                b"&g;", b""
            ), ""
        return body, "type"
    try:
        etree.fromstring(body, etree.XMLParser(huge_tree=wrong("size-unbounded"), resolve_entities=False))
    except etree.XMLSyntaxError:
        return body, "rubbish"
    return body, ""


def _resolved(body):
    try:
        tree = etree.fromstring(body, etree.XMLParser(resolve_entities=True, no_network=True))
    except etree.XMLSyntaxError:
        return body, "rubbish"
    return etree.tostring(tree.getroottree().getroot()), ""


def _refused(start_response):
    start_response("500 Internal Server Error", [("Content-Type", "text/xml; charset=utf-8")])
    return [
        f'<e:Envelope xmlns:e="{SOAP}"><e:Body><e:Fault><faultcode>Client.Malformed</faultcode>'
        "<faultstring>That was no request</faultstring></e:Fault></e:Body></e:Envelope>".encode()
    ]


#: Name -> (where, what is replaced, by what).
_REPLACED = {
    "fault-of-soap-12": (
        b"LoginUnauthorized",
        rb"<faultcode>.*</faultstring>",
        b"<Code><Value>Client.LoginUnauthorized</Value></Code><Reason><Text>no</Text></Reason>",
    ),
    "fault-without-string": (b"Fault>", rb"<faultstring.*?</faultstring>", b""),
    "fault-beside-header": (b"Fault>", rb"(<soap11env:Body)", rb"<soap11env:Header/>\1"),
    "flag-spelt": (b"", b">false<", b">False<"),
    "ampersand-raw": (b"", b"&amp;", b"&"),
    "nickname-first": (
        b"",
        rb"(<tns:userIdHashCode>.*)(<tns:nickname>.*?</tns:nickname>)",
        rb"\2\1",
    ),
}


def _spoilt(status, headers, raw):
    if wrong("fault-status-200") and b"Fault>" in raw:
        status = "200 OK"
    if wrong("fault-status-401") and b"LoginUnauthorized" in raw:
        status = "401 Unauthorized"
    if wrong("content-type-soap-12"):
        headers["Content-Type"] = "application/soap+xml; charset=utf-8"
    if b"TokenRefreshRequired" in raw:
        raw = raw.replace(b"<faultstring>", b'<faultstring xml:lang="en">')
    for name, (where, what, by) in _REPLACED.items():
        if wrong(name) and where in raw:
            raw = re.sub(what, by, raw)
    return status, headers, raw


class _Handler(BaseHTTPRequestHandler):
    """Keeps connections open, as the server that comes with Python for WSGI does not; and sends an answer in one piece."""

    protocol_version = "HTTP/1.1"

    def handle_any(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environ = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": sys.argv[1],
            "wsgi.input": _Input(self.rfile.read(length)),
            "wsgi.url_scheme": "http",
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
        }
        answer = []
        body = b"".join(application(environ, lambda *head: answer.extend(head)))
        status, headers = answer
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        if "Content-Length" not in dict(headers):
            lines.append(f"Content-Length: {len(body)}")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler) as server:
        server.serve_forever()
