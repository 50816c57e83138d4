"""Requests in the layout of every client that is known, most of them against the letter of the schema."""

import pytest

from gateway.smapi.credentials import Credentials
from gateway.smapi.envelope import parse_call
from tests.unit.smapi.soap import SMAPI, SOAP, action

HOUSEHOLD = "Sonos_aBcDeFgHiJkLmNoPqRsTuVwXyZ"

# Each: SOAPAction, Authorization, body; then the method, arguments and credentials to be read from it.
CLIENTS = {
    "SoCo 0.32, context inside credentials, no loginToken, householdId alone": (
        action("getAppLink"),
        None,
        f"""<?xml version="1.0"?>
<s:Envelope xmlns:s="{SOAP}" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">
<s:Header><credentials xmlns="{SMAPI}"><deviceId>00-11-22-33-44-55:6</deviceId>
<deviceProvider>Sonos</deviceProvider><context /></credentials></s:Header>
<s:Body><getAppLink xmlns="{SMAPI}"><householdId>{HOUSEHOLD}</householdId></getAppLink></s:Body>
</s:Envelope>""",
        "getAppLink",
        {"householdId": HOUSEHOLD},
        Credentials(device_id="00-11-22-33-44-55:6"),
    ),
    "SoCo 0.32 polling, its own serial as linkDeviceId": (
        action("getDeviceAuthToken"),
        None,
        f"""<?xml version="1.0"?>
<s:Envelope xmlns:s="{SOAP}" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">
<s:Header><credentials xmlns="{SMAPI}"><deviceId>00-11-22-33-44-55:6</deviceId>
<deviceProvider>Sonos</deviceProvider><context /></credentials></s:Header>
<s:Body><getDeviceAuthToken xmlns="{SMAPI}"><householdId>{HOUSEHOLD}</householdId><linkCode>abc</linkCode>
<linkDeviceId>00-11-22-33-44-55:6</linkDeviceId></getDeviceAuthToken></s:Body></s:Envelope>""",
        "getDeviceAuthToken",
        {"householdId": HOUSEHOLD, "linkCode": "abc", "linkDeviceId": "00-11-22-33-44-55:6"},
        Credentials(device_id="00-11-22-33-44-55:6"),
    ),
    "node-sonos-ts 2.5.0, no declaration, CRLF, context first, empty token and key": (
        action("getDeviceAuthToken"),
        None,
        f"""<soap:Envelope xmlns:soap="{SOAP}" xmlns:s="{SMAPI}">
  <soap:Header>
    <s:context><s:timeZone>+01:00</s:timeZone></s:context>
    <s:credentials>
      <s:deviceId>00-11-22-33-44-55:6</s:deviceId>
      <s:deviceProvider>Sonos</s:deviceProvider>
      <s:loginToken>
        <s:token></s:token>
        <s:key></s:key>
        <s:householdId>{HOUSEHOLD}</s:householdId>
      </s:loginToken>
    </s:credentials>
  </soap:Header>
  <soap:Body>
    <s:getDeviceAuthToken>
      <s:householdId>{HOUSEHOLD}</s:householdId>
      <s:linkCode>abc</s:linkCode>
      <s:linkDeviceId>00-11-22-33-44-55:6</s:linkDeviceId>
    </s:getDeviceAuthToken>
  </soap:Body>
</soap:Envelope>""".replace("\n", "\r\n"),
        "getDeviceAuthToken",
        {"householdId": HOUSEHOLD, "linkCode": "abc", "linkDeviceId": "00-11-22-33-44-55:6"},
        Credentials(household_id=HOUSEHOLD, device_id="00-11-22-33-44-55:6"),
    ),
    "zeep 4.3, everything that the schema has": (
        action("getAppLink"),
        None,
        f"""<?xml version='1.0' encoding='utf-8'?>
<soap-env:Envelope xmlns:soap-env="{SOAP}"><soap-env:Header><ns0:credentials xmlns:ns0="{SMAPI}">
<ns0:deviceId>d</ns0:deviceId><ns0:deviceProvider>Sonos</ns0:deviceProvider></ns0:credentials>
<ns0:context xmlns:ns0="{SMAPI}"><ns0:timeZone>-04:00</ns0:timeZone></ns0:context></soap-env:Header>
<soap-env:Body><ns0:getAppLink xmlns:ns0="{SMAPI}"><ns0:householdId>{HOUSEHOLD}</ns0:householdId>
<ns0:hardware>iPhone17,5</ns0:hardware><ns0:osVersion>Version 26.2 (Build 23C55)</ns0:osVersion>
<ns0:sonosAppName>ICRU_iPhone17,5</ns0:sonosAppName>
<ns0:callbackPath>sonos-2://x-callback-url/addAccount?state=a%3Db&amp;c=d</ns0:callbackPath>
</ns0:getAppLink></soap-env:Body></soap-env:Envelope>""",
        "getAppLink",
        {
            "householdId": HOUSEHOLD,
            "hardware": "iPhone17,5",
            "osVersion": "Version 26.2 (Build 23C55)",
            "sonosAppName": "ICRU_iPhone17,5",
            "callbackPath": "sonos-2://x-callback-url/addAccount?state=a%3Db&c=d",
        },
        Credentials(device_id="d"),
    ),
    "node-soap 1.13, credentials in no namespace": (
        action("getMetadata"),
        None,
        f"""<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP}"
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:tns="{SMAPI}"><soap:Header><credentials><loginToken>
<token>t</token><householdId>h</householdId></loginToken></credentials></soap:Header><soap:Body>
<getMetadata xmlns="{SMAPI}"><id>root</id><index>0</index><count>100</count></getMetadata></soap:Body>
</soap:Envelope>""",
        "getMetadata",
        {"id": "root", "index": "0", "count": "100"},
        Credentials(token="t", household_id="h"),
    ),
    "desktop controller 90.0, linking": (
        action("getAppLink"),
        None,
        f"""<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header>
<ns1:credentials xmlns:ns1="{SMAPI}"><ns1:deviceId>d</ns1:deviceId><ns1:deviceProvider>Sonos</ns1:deviceProvider>
</ns1:credentials></s:Header><s:Body><ns1:getAppLink xmlns:ns1="{SMAPI}"><ns1:householdId>h</ns1:householdId>
<ns1:hardware>Windows</ns1:hardware><ns1:osVersion>Microsoft Windows NT 10.0</ns1:osVersion>
<ns1:sonosAppName>Sonos</ns1:sonosAppName><ns1:callbackPath>sonos://addAccount</ns1:callbackPath></ns1:getAppLink>
</s:Body></s:Envelope>""",
        "getAppLink",
        {
            "householdId": "h",
            "hardware": "Windows",
            "osVersion": "Microsoft Windows NT 10.0",
            "sonosAppName": "Sonos",
            "callbackPath": "sonos://addAccount",
        },
        Credentials(device_id="d"),
    ),
    "desktop controller 90.0 and S2, the token as bearer and householdId alone in loginToken": (
        action("getMetadata"),
        "Bearer aaa.bbb.ccc",
        f"""<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Header>
<ns1:credentials xmlns:ns1="{SMAPI}"><ns1:deviceId>d</ns1:deviceId><ns1:deviceProvider>Sonos</ns1:deviceProvider>
<ns1:loginToken><ns1:householdId>h_c28232eb</ns1:householdId></ns1:loginToken></ns1:credentials></s:Header>
<s:Body><ns1:getMetadata xmlns:ns1="{SMAPI}"><ns1:id>root</ns1:id><ns1:index>0</ns1:index>
<ns1:count>50</ns1:count><ns1:recursive>false</ns1:recursive></ns1:getMetadata></s:Body></s:Envelope>""",
        "getMetadata",
        {"id": "root", "index": "0", "count": "50", "recursive": "false"},
        Credentials(token="aaa.bbb.ccc", household_id="h_c28232eb", device_id="d"),
    ),
    "S2 after linking, nothing but a bearer token": (
        action("getLastUpdate"),
        "Bearer aaa.bbb.ccc",
        f'<Envelope xmlns="{SOAP}"><Body><getLastUpdate xmlns="{SMAPI}"/></Body></Envelope>',
        "getLastUpdate",
        {},
        Credentials(token="aaa.bbb.ccc"),
    ),
    "refreshAuthToken, token and key back in the SOAP header": (
        action("refreshAuthToken"),
        None,
        f"""<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}"><loginToken><token>old</token>
<key>k</key><householdId>h</householdId></loginToken><deviceId>d</deviceId><deviceProvider>Sonos</deviceProvider>
</credentials></s:Header><s:Body><refreshAuthToken xmlns="{SMAPI}"></refreshAuthToken></s:Body></s:Envelope>""",
        "refreshAuthToken",
        {},
        Credentials(token="old", key="k", household_id="h", device_id="d"),
    ),
    "sonoscli, arguments in alphabetical order": (
        action("getDeviceAuthToken"),
        None,
        f"""<?xml version="1.0"?><s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}">
<deviceId>d</deviceId><deviceProvider>Sonos</deviceProvider><context/></credentials></s:Header><s:Body>
<getDeviceAuthToken xmlns="{SMAPI}"><householdId>h</householdId><linkCode>abc</linkCode><linkDeviceId>d</linkDeviceId>
</getDeviceAuthToken></s:Body></s:Envelope>""",
        "getDeviceAuthToken",
        {"householdId": "h", "linkCode": "abc", "linkDeviceId": "d"},
        Credentials(device_id="d"),
    ),
    "noson, the household for a token and an empty linkDeviceId": (
        action("getDeviceAuthToken"),
        None,
        f"""<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"
s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Header><credentials xmlns="{SMAPI}">
<deviceId>d</deviceId><deviceProvider>Sonos</deviceProvider><loginToken><token>h</token>
<householdId>h</householdId></loginToken></credentials></s:Header><s:Body>
<ns:getDeviceAuthToken xmlns:ns="{SMAPI}"><ns:householdId>h</ns:householdId><ns:linkCode>abc</ns:linkCode>
<ns:linkDeviceId></ns:linkDeviceId></ns:getDeviceAuthToken></s:Body></s:Envelope>""",
        "getDeviceAuthToken",
        {"householdId": "h", "linkCode": "abc"},
        Credentials(token="h", household_id="h", device_id="d"),
    ),
    "unoffical-sonos-controller-for-linux, empty credentials, charset spelt utf8": (
        action("getAppLink"),
        None,
        f"""<?xml version="1.0" encoding="utf8"?><s:Envelope xmlns:s="{SOAP}" xmlns:ns="{SMAPI}"><s:Header>
<ns:credentials/></s:Header><s:Body><ns:getAppLink><ns:householdId>h</ns:householdId></ns:getAppLink></s:Body>
</s:Envelope>""",
        "getAppLink",
        {"householdId": "h"},
        Credentials(),
    ),
    "the self test of 2017, two prefixes for one namespace": (
        action("getDeviceLinkCode"),
        None,
        f"""<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP}" xmlns:ns0="{SOAP}" xmlns:ns1="{SMAPI}" xmlns:tns="{SMAPI}"
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><SOAP-ENV:Header><tns:credentials>
<ns1:deviceId>00-00-00-00-00-00:Z</ns1:deviceId><ns1:deviceProvider>Sonos</ns1:deviceProvider><ns1:loginToken>
<ns1:token></ns1:token><ns1:key></ns1:key><ns1:householdId>h</ns1:householdId></ns1:loginToken></tns:credentials>
</SOAP-ENV:Header><ns0:Body><ns1:getDeviceLinkCode><ns1:householdId>h</ns1:householdId></ns1:getDeviceLinkCode>
</ns0:Body></SOAP-ENV:Envelope>""",
        "getDeviceLinkCode",
        {"householdId": "h"},
        Credentials(household_id="h", device_id="00-00-00-00-00-00:Z"),
    ),
    "sonos-nest, no deviceId": (
        action("getDeviceAuthToken"),
        None,
        f"""<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}"><deviceProvider>Sonos</deviceProvider>
</credentials></s:Header><s:Body><getDeviceAuthToken xmlns="{SMAPI}"><householdId>h</householdId>
<linkCode>abc</linkCode><linkDeviceId>nest.local</linkDeviceId></getDeviceAuthToken></s:Body></s:Envelope>""",
        "getDeviceAuthToken",
        {"householdId": "h", "linkCode": "abc", "linkDeviceId": "nest.local"},
        Credentials(),
    ),
    "S2 linking, deviceId all zeros, loginToken with householdId alone": (
        action("getAppLink"),
        None,
        f"""<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}"><deviceId>00-00-00-00-00-00:0</deviceId>
<deviceProvider>Sonos</deviceProvider><loginToken><householdId>h</householdId></loginToken></credentials></s:Header>
<s:Body><getAppLink xmlns="{SMAPI}"><householdId>h</householdId></getAppLink></s:Body></s:Envelope>""",
        "getAppLink",
        {"householdId": "h"},
        Credentials(household_id="h", device_id="00-00-00-00-00-00:0"),
    ),
    "upgrade to OAuth, a login in the header and no linkCode": (
        action("getDeviceAuthToken"),
        None,
        f"""<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}"><deviceId>d</deviceId>
<deviceProvider>Sonos</deviceProvider><login><username>ann</username><password>p&amp;w </password></login>
</credentials></s:Header><s:Body><getDeviceAuthToken xmlns="{SMAPI}"><householdId>h</householdId>
</getDeviceAuthToken></s:Body></s:Envelope>""",
        "getDeviceAuthToken",
        {"householdId": "h"},
        Credentials(device_id="d", username="ann", password="p&w "),
    ),
    "getSessionId, a password that ends with a blank": (
        action("getSessionId"),
        None,
        f"""<s:Envelope xmlns:s="{SOAP}"><s:Body><getSessionId xmlns="{SMAPI}"><username>ann </username>
<password>pw </password></getSessionId></s:Body></s:Envelope>""",
        "getSessionId",
        {"username": "ann", "password": "pw "},
        Credentials(),
    ),
    "a client with a SOAP-Action header, arguments in no namespace": (
        None,
        None,
        f"""<s:Envelope xmlns:s="{SOAP}"><s:Body><getapplink xmlns=""><householdId>h</householdId></getapplink>
</s:Body></s:Envelope>""",
        "getAppLink",
        {"householdId": "h"},
        Credentials(),
    ),
    "SoapUI, comments between the elements and a byte order mark": (
        action("getAppLink"),
        None,
        f"""\ufeff<soapenv:Envelope xmlns:soapenv="{SOAP}" xmlns:ns="{SMAPI}">
   <soapenv:Header><!--Optional:--><ns:credentials><!--Optional:--><ns:deviceId>?</ns:deviceId></ns:credentials>
   </soapenv:Header>
   <soapenv:Body>
      <!--type in--><ns:getAppLink><ns:householdId>h</ns:householdId></ns:getAppLink>
   </soapenv:Body>
</soapenv:Envelope>""",
        "getAppLink",
        {"householdId": "h"},
        Credentials(device_id="?"),
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_is_understood(client):
    """Method, arguments and credentials are what the client meant."""
    soap_action, authorization, body, method, arguments, credentials = CLIENTS[client]

    call = parse_call(body.encode(), soap_action, authorization)

    assert (method, arguments, credentials) == (call.method, call.arguments, call.credentials)
