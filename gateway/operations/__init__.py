"""One file per SMAPI method: a request in, a result out; `OPERATIONS` is the table.

Owns what each method means. Must not know aiohttp, lxml or a driver. A new method is one file and one line here.
"""

from gateway.operations.get_app_link import get_app_link
from gateway.operations.get_device_auth_token import get_device_auth_token
from gateway.operations.get_device_link_code import get_device_link_code
from gateway.operations.get_last_update import get_last_update
from gateway.operations.get_metadata import get_metadata
from gateway.operations.get_session_id import get_session_id
from gateway.operations.get_user_info import get_user_info
from gateway.operations.refresh_auth_token import refresh_auth_token
from gateway.operations.report_account_action import report_account_action
from gateway.operations.request import Operation, Request

OPERATIONS: dict[str, Operation] = {
    "getAppLink": get_app_link,
    "getDeviceAuthToken": get_device_auth_token,
    "getDeviceLinkCode": get_device_link_code,
    "getLastUpdate": get_last_update,
    "getMetadata": get_metadata,
    "getSessionId": get_session_id,
    "getUserInfo": get_user_info,
    "refreshAuthToken": refresh_auth_token,
    "reportAccountAction": report_account_action,
}

__all__ = ["OPERATIONS", "Operation", "Request"]
