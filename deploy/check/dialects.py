"""How each known client writes the same request: envelopes, prefixes, headers, and what it leaves out or adds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.check.client import Message, elements
from deploy.check.document import ENVELOPE, SMAPI
from deploy.check.report import Severity
from deploy.check.sources import (
    APP_LINK,
    BROWSER_AUTH,
    LINUX_CONTROLLER,
    NODE_SOAP,
    NOSON,
    RESEARCH,
    SELF_TEST,
    SOAP,
    SOAPUI,
    SOCO,
    SONOS_TS,
    SONOSCLI,
    ZEEP,
    Source,
)
from deploy.check.sources import (
    SMAPI as SMAPI_PAGE,
)

Arguments = Mapping[str, str]
Write = Callable[[str, Arguments, str], tuple[str, Mapping[str, str | None]]]
"""(method, arguments, household) -> the envelope, and headers that are added, replaced, or with None left out."""

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_SERIAL = "00-11-22-33-44-55:6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way of writing."""

    name: str
    title: str
    source: Source
    severity: Severity
    write: Write
    only_household: bool = False
    """Whether getAppLink comes with nothing but the household."""
    own_device: str | None = None
    """What it sends as linkDeviceId, whatever it was given."""

    def message(self, method: str, arguments: Arguments, household: str) -> Message:
        """Write a request."""
        if self.only_household and method == "getAppLink":
            arguments = {"householdId": arguments["householdId"]}
        if self.own_device is not None and "linkCode" in arguments:
            arguments = {**arguments, "linkDeviceId": self.own_device}
        text, changes = self.write(method, arguments, household)
        headers: dict[str, str | None] = {
            "SOAPAction": f'"{SMAPI}#{method}"',
            "Content-Type": "text/xml; charset=utf-8",
            "User-Agent": "Linux UPnP/1.0 Sonos/29.3-87071 (ICRU_iPhone7,1); iOS/Version 8.2 (Build 12D508)",
            **changes,
        }
        sent = {name: value for name, value in headers.items() if value is not None}
        return Message(method=method, body=text.encode(), headers=sent)


def _soco(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<?xml version="1.0"?>\n<s:Envelope xmlns:s="{ENVELOPE}" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">\n'
        f'<s:Header><credentials xmlns="{SMAPI}"><deviceId>{_SERIAL}</deviceId><deviceProvider>Sonos</deviceProvider>'
        f'<context /></credentials></s:Header>\n<s:Body><{method} xmlns="{SMAPI}">{elements(arguments)}</{method}>'
        "</s:Body>\n</s:Envelope>"
    ), {"Content-Type": 'text/xml; charset="utf-8"', "Accept-Encoding": "gzip, deflate"}


def _sonoscli(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    return _soco(method, dict(sorted(arguments.items())), household)


def _sonos_ts(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    token = f"<s:token></s:token><s:key></s:key><s:householdId>{household}</s:householdId>"
    return (
        f'<soap:Envelope xmlns:soap="{ENVELOPE}" xmlns:s="{SMAPI}">\n  <soap:Header>\n'
        "    <s:context><s:timeZone>+01:00</s:timeZone></s:context>\n    <s:credentials>\n"
        f"      <s:deviceId>{_SERIAL}</s:deviceId>\n      <s:deviceProvider>Sonos</s:deviceProvider>\n"
        f"      <s:loginToken>{token}</s:loginToken>\n    </s:credentials>\n  </soap:Header>\n  <soap:Body>\n"
        f"    <s:{method}>{elements(arguments, 's:')}</s:{method}>\n  </soap:Body>\n</soap:Envelope>"
    ).replace("\n", "\r\n"), {"Accept-Language": "en-US"}


def _zeep(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n<soap-env:Envelope xmlns:soap-env=\"{ENVELOPE}\"><soap-env:Header>"
        f'<ns0:credentials xmlns:ns0="{SMAPI}"><ns0:deviceId>d</ns0:deviceId>'
        "<ns0:deviceProvider>Sonos</ns0:deviceProvider></ns0:credentials>"
        f'<ns0:context xmlns:ns0="{SMAPI}"><ns0:timeZone>-04:00</ns0:timeZone></ns0:context></soap-env:Header>'
        f'<soap-env:Body><ns0:{method} xmlns:ns0="{SMAPI}">{elements(arguments, "ns0:")}</ns0:{method}>'
        "</soap-env:Body></soap-env:Envelope>"
    ), {}


def _node_soap(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'{_DECLARATION}<soap:Envelope xmlns:soap="{ENVELOPE}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:tns="{SMAPI}"><soap:Header><credentials>'
        f"<deviceId>d</deviceId><loginToken><householdId>{household}</householdId></loginToken></credentials>"
        f'</soap:Header><soap:Body><{method} xmlns="{SMAPI}">{elements(arguments)}</{method}></soap:Body>'
        "</soap:Envelope>"
    ), {}


def _desktop(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'{_DECLARATION}<s:Envelope xmlns:s="{ENVELOPE}"><s:Header><ns1:credentials xmlns:ns1="{SMAPI}">'
        f"<ns1:deviceId>{_SERIAL}</ns1:deviceId><ns1:deviceProvider>Sonos</ns1:deviceProvider></ns1:credentials>"
        f'</s:Header><s:Body><ns1:{method} xmlns:ns1="{SMAPI}">{elements(arguments, "ns1:")}</ns1:{method}>'
        "</s:Body></s:Envelope>"
    ), {
        "SOAPAction": None,
        "Soapaction": f'"{SMAPI}#{method}"',
        "Accept-Language": "en-US",
        "X-Sonos-Controller-ID": "00000000-0000-4000-8000-000000000000",
        "User-Agent": "Linux UPnP/1.0 Sonos/90.0-77070 (WDCR:Microsoft Windows NT 10.0.19045 64-bit)",
    }


def _self_test(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="{ENVELOPE}" '
        f'xmlns:ns0="{ENVELOPE}" xmlns:ns1="{SMAPI}" xmlns:tns="{SMAPI}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><SOAP-ENV:Header><tns:credentials>'
        "<ns1:deviceId>00-00-00-00-00-00:Z</ns1:deviceId><ns1:deviceProvider>Sonos</ns1:deviceProvider>"
        f"<ns1:loginToken><ns1:token></ns1:token><ns1:key></ns1:key><ns1:householdId>{household}</ns1:householdId>"
        f"</ns1:loginToken></tns:credentials></SOAP-ENV:Header><ns0:Body><ns1:{method}>"
        f"{elements(arguments, 'ns1:')}</ns1:{method}></ns0:Body></SOAP-ENV:Envelope>"
    ), {"User-Agent": "Linux UPnP/1.0 Sonos/33.12-29310 (Self-Test)", "Accept-Encoding": "gzip"}


def _noson(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'{_DECLARATION}<s:Envelope xmlns:s="{ENVELOPE}" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Header>'
        f'<credentials xmlns="{SMAPI}"><deviceId>d</deviceId><deviceProvider>Sonos</deviceProvider><loginToken>'
        f"<token>{household}</token><householdId>{household}</householdId></loginToken></credentials></s:Header>"
        f'<s:Body><ns:{method} xmlns:ns="{SMAPI}">{elements(arguments, "ns:")}</ns:{method}></s:Body></s:Envelope>'
    ), {
        "X-Sonos-SWGen": "1",
        "Accept-Language": "en,en-US;q=0.9",
        "User-Agent": "Linux UPnP/1.0 Sonos/36.4-41270 (ACR_noson)",
    }


def _linux(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ENVELOPE}" xmlns:ns="{SMAPI}"><s:Header>'
        f"<ns:credentials/></s:Header><s:Body><ns:{method}>{elements(arguments, 'ns:')}</ns:{method}></s:Body>"
        "</s:Envelope>"
    ), {"Content-Type": "text/xml; charset=utf8"}


def _no_device(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Header><credentials xmlns="{SMAPI}"><deviceProvider>Sonos</deviceProvider>'
        f'</credentials></s:Header><s:Body><{method} xmlns="{SMAPI}">{elements(arguments)}</{method}></s:Body>'
        "</s:Envelope>"
    ), {"User-Agent": "Linux UPnP/1.0 Sonos/84.1-59230"}


def _bare(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<Envelope xmlns="{ENVELOPE}"><Body><{method} xmlns="{SMAPI}">{elements(arguments)}</{method}></Body>'
        "</Envelope>"
    ), {"User-Agent": "Linux UPnP/1.0 Sonos/79.1-54060"}


def _s2(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Header><credentials xmlns="{SMAPI}"><loginToken>'
        f"<householdId>{household}</householdId></loginToken><deviceId>00-00-00-00-00-00:0</deviceId>"
        "<deviceProvider>Sonos</deviceProvider></credentials>"
        f'<context xmlns="{SMAPI}"><timeZone>-04:00</timeZone></context></s:Header>'
        f'<s:Body><{method} xmlns="{SMAPI}">{elements(arguments)}</{method}></s:Body></s:Envelope>'
    ), {"Accept-Language": "fr"}


def _without_action(
    method: str, arguments: Arguments, household: str
) -> tuple[str, Mapping[str, str | None]]:
    text, _ = _no_device(method, arguments, household)
    return text, {"SOAPAction": None, "SOAP-Action": f'"{SMAPI}#{method}"'}


def _small_action(method: str, arguments: Arguments, household: str) -> tuple[str, Mapping[str, str | None]]:
    text, _ = _no_device(method, arguments, household)
    small = method.replace("AppLink", "Applink").replace("LinkCode", "Linkcode").replace("Token", "token")
    return text, {"SOAPAction": f'"{SMAPI}#{small}"'}


def _soapui(method: str, arguments: Arguments, _: str) -> tuple[str, Mapping[str, str | None]]:
    return (
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" xmlns:ns="{SMAPI}">\n   <soapenv:Header>'
        "<ns:credentials><!--Optional:--><ns:deviceId>?</ns:deviceId></ns:credentials>\n   </soapenv:Header>\n"
        f"   <soapenv:Body>\n      <ns:{method}><!--type in-->{elements(arguments, 'ns:')}</ns:{method}>\n"
        "   </soapenv:Body>\n</soapenv:Envelope>"
    ), {"User-Agent": "Apache-HttpClient/4.5.5", "Accept-Encoding": "gzip,deflate"}


_WRONG, _WARNING = Severity.WRONG, Severity.WARNING

DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="s2-app",
        title="the S2 app: loginToken with a household alone, before deviceId, with a context",
        source=APP_LINK,
        severity=_WRONG,
        write=_s2,
    ),
    Dialect(
        name="cloud",
        title="Sonos's cloud: no credentials at all, everything in default namespaces",
        source=BROWSER_AUTH,
        severity=_WRONG,
        write=_bare,
    ),
    Dialect(
        name="desktop",
        title="the desktop controller 90.0",
        source=RESEARCH,
        severity=_WRONG,
        write=_desktop,
    ),
    Dialect(
        name="self-test",
        title="Sonos's own self test: two prefixes for each namespace, a blank token",
        source=SELF_TEST,
        severity=_WRONG,
        write=_self_test,
    ),
    Dialect(
        name="schema",
        title="a client that goes by the schema (zeep)",
        source=ZEEP,
        severity=_WRONG,
        write=_zeep,
    ),
    Dialect(
        name="lower-case-action",
        title="SOAPAction spelt as in a sample of Sonos's documentation, `#getApplink`",
        source=SMAPI_PAGE,
        severity=_WRONG,
        write=_small_action,
    ),
    Dialect(
        name="soapui",
        title="SoapUI: comments between the elements",
        source=SOAPUI,
        severity=_WARNING,
        write=_soapui,
    ),
    Dialect(
        name="no-action",
        title="no SOAPAction, but a header named `SOAP-Action`",
        source=SOAP,
        severity=_WARNING,
        write=_without_action,
    ),
    Dialect(
        name="soco",
        title="SoCo: an empty context inside credentials, the household alone",
        source=SOCO,
        severity=_WARNING,
        write=_soco,
        only_household=True,
    ),
    Dialect(
        name="sonoscli",
        title="sonoscli: arguments in alphabetical order",
        source=SONOSCLI,
        severity=_WARNING,
        write=_sonoscli,
        only_household=True,
    ),
    Dialect(
        name="node-sonos-ts",
        title="node-sonos-ts: CRLF, no declaration, an empty token and key, its own serial",
        source=SONOS_TS,
        severity=_WARNING,
        write=_sonos_ts,
        only_household=True,
        own_device=_SERIAL,
    ),
    Dialect(
        name="node-soap",
        title="node-soap: credentials in no namespace",
        source=NODE_SOAP,
        severity=_WARNING,
        write=_node_soap,
    ),
    Dialect(
        name="noson",
        title="noson: the household for a token, an empty linkDeviceId",
        source=NOSON,
        severity=_WARNING,
        write=_noson,
        only_household=True,
        own_device="",
    ),
    Dialect(
        name="linux-controller",
        title="unoffical-sonos-controller-for-linux: empty credentials, charset spelt utf8",
        source=LINUX_CONTROLLER,
        severity=_WARNING,
        write=_linux,
        only_household=True,
        own_device="",
    ),
    Dialect(
        name="no-device",
        title="a client without a device id (sonos-nest)",
        source=RESEARCH,
        severity=_WARNING,
        write=_no_device,
        own_device="nest.local",
    ),
)
