"""The names of SMAPI's methods, and the ways in which a request states one."""

import re

from gateway.smapi.faults import MalformedCall

NAMESPACE = "http://www.sonos.com/Services/1.1"

# The operations of the Sonos WSDL 1.19.6, and getStreamingMetadata of the WSDL that came with controllers 8.4
# to 9.2.
METHODS = (
    "addToContainer",
    "createContainer",
    "createItem",
    "deleteContainer",
    "deleteItem",
    "getAppLink",
    "getContentKey",
    "getDeviceAuthToken",
    "getDeviceLinkCode",
    "getExtendedMetadata",
    "getExtendedMetadataText",
    "getLastUpdate",
    "getMediaMetadata",
    "getMediaURI",
    "getMetadata",
    "getScrollIndices",
    "getSessionId",
    "getStreamingMetadata",
    "getUserInfo",
    "rateItem",
    "refreshAuthToken",
    "removeFromContainer",
    "renameContainer",
    "reorderContainer",
    "reportAccountAction",
    "reportPlaySeconds",
    "reportPlayStatus",
    "reportStatus",
    "search",
    "setPlayedSeconds",
)

_CANONICAL = {method.lower(): method for method in METHODS}
_NAME = re.compile("[A-Za-z0-9_]{1,64}")
# Every client that was run spells the header like this, so that is one look-up; the rest is taken apart.
_USUAL = {f'"{NAMESPACE}#{method}"': method for method in METHODS}


def agreed_method(element_name: str, soap_action: str | None) -> str:
    """The method that the Body's element and the SOAPAction header both name, as SMAPI spells it.

    A method that SMAPI does not know keeps the spelling of the element, which is then 1 to 64 of
    `[A-Za-z0-9_]`. Case does not count: a sample of Sonos's own documentation (docs.sonos.com/docs/smapi)
    writes `#getApplink`. A header that names no method (absent, empty, or nothing like a name) is no
    statement at all: one public guide prints the header as `SOAP-Action`, and a client built from it sends
    none.

    Raises:
        MalformedCall: the two name different methods, so that two servers could read two different requests;
            or the element's name could not be a method's.
    """
    if not _NAME.fullmatch(element_name):
        raise MalformedCall("The element in the Body does not have the name of a method")
    stated = soap_action and (_USUAL.get(soap_action) or _last_part(soap_action))
    if stated and stated.lower() != element_name.lower():
        raise MalformedCall("SOAPAction and Body name different methods")
    return _CANONICAL.get(element_name.lower(), element_name)


def _last_part(soap_action: str) -> str | None:
    """What follows the last `#` or `/` of a SOAPAction, quoted or not, if it could be a method's name."""
    action = soap_action.strip().strip("\"'").strip()
    name = action[max(action.rfind("#"), action.rfind("/")) + 1 :]
    return name if _NAME.fullmatch(name) else None
