"""Where it is written down: the pages and programs that findings refer to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A page of Sonos's documentation, a standard, or the source of a client."""

    title: str
    url: str


_DOCS = "https://docs.sonos.com/docs"

BROWSER_AUTH = Source("Sonos: Add browser authentication", f"{_DOCS}/add-browser-authentication")
CREATE_ACCOUNT = Source("Sonos: Add create account", f"{_DOCS}/add-create-account")
DEVICE_AUTH_TOKEN = Source("Sonos: getDeviceAuthToken", f"{_DOCS}/getdeviceauthtoken")
DEVICE_LINK_CODE = Source("Sonos: getDeviceLinkCode", f"{_DOCS}/getdevicelinkcode")
ERRORS = Source("Sonos: Error handling", f"{_DOCS}/error-handling")
APP_LINK = Source("Sonos: getAppLink", f"{_DOCS}/getapplink")
AUTH_ERRORS = Source("Sonos: Handle auth errors", f"{_DOCS}/handle-auth-errors")
KEY_REQUIREMENTS = Source("Sonos: Key requirements", f"{_DOCS}/key-requirements")
LAST_UPDATE = Source("Sonos: getLastUpdate", f"{_DOCS}/getlastupdate")
REFRESH = Source("Sonos: refreshAuthToken", f"{_DOCS}/refreshauthtoken")
REPORT_ACCOUNT = Source("Sonos: reportAccountAction", f"{_DOCS}/reportaccountaction")
SECURITY = Source("Sonos: Security", f"{_DOCS}/security")
SESSION_ID = Source("Sonos: getSessionId", f"{_DOCS}/getsessionid")
SOAP = Source("Sonos: SOAP requests and responses", f"{_DOCS}/soap-requests-and-responses")
SYNCHRONIZE = Source("Sonos: Synchronize your service", f"{_DOCS}/synchronize-your-service")
TOKENS = Source("Sonos: Use authentication tokens", f"{_DOCS}/use-authentication-tokens")
UPGRADE = Source("Sonos: Upgrade to OAuth", f"{_DOCS}/upgrade-to-oauth")
USER_INFO = Source("Sonos: getUserInfo", f"{_DOCS}/getuserinfo")
SMAPI = Source("Sonos: Sonos Music API", f"{_DOCS}/smapi")

SOAP_11 = Source("SOAP 1.1", "https://www.w3.org/TR/2000/NOTE-SOAP-20000508/")
SELF_TEST = Source("Sonos Python self test (copy of 2017)", "https://github.com/ntslive/SMAPI-PythonSelfTest")
BONOB = Source("bonob", "https://github.com/simojenki/bonob")
BONOB_283 = Source(
    "bonob #283, what S2 needs to add a service", "https://github.com/simojenki/bonob/pull/283"
)
SOCO = Source("SoCo", "https://github.com/SoCo/SoCo")
SOCO_900 = Source("SoCo #900, no token on link calls", "https://github.com/SoCo/SoCo/pull/900")
SONOS_TS = Source("node-sonos-ts", "https://github.com/svrooij/node-sonos-ts")
SONOSCLI = Source("sonoscli", "https://github.com/steipete/sonoscli")
NOSON = Source("noson", "https://github.com/janbar/noson")
LINUX_CONTROLLER = Source(
    "unoffical-sonos-controller-for-linux",
    "https://github.com/pascalopitz/unoffical-sonos-controller-for-linux",
)
RESEARCH = Source(
    "sonos-research, the desktop controller re-created", "https://github.com/BookCatKid/sonos-research"
)
ZEEP = Source("zeep", "https://docs.python-zeep.org/")
NODE_SOAP = Source("node-soap", "https://github.com/vpulim/node-soap")
SOAPUI = Source("Sonos: Test your service (by SoapUI)", f"{_DOCS}/test-your-service")
