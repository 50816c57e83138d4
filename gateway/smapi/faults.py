"""One class per SMAPI fault: when it is sent, and what Sonos does next.

A fault is an exception, so that an operation may raise it from any depth;
`gateway.smapi.envelope.render_fault` turns it into bytes, and HTTP 500 goes with it (Sonos documentation,
"Error handling"). All are shaped alike:

    code             SMAPI's name, `Client.` or `Server.` first: the Sonos self test refuses other codes
    string           for logs and for the diagnostics a listener submits; ours never quotes the request
    sonos_error      a number whose text `Error<number>Message` the service registered with Sonos, or None
    exception_info   goes with sonos_error and only with it (Sonos WSDL 1.19.6, element customFault)

The self test looks for a code anywhere in code and string together, so that no string here contains the name
of another fault, and only the two NOT_LINKED codes have a sonos_error, since one would outrank the code of
some others there.
"""

from typing import ClassVar

from gateway.smapi.results import DeviceAuthTokenResult


class Fault(Exception):
    """What a call is answered with when it has no result; raise one of the subclasses.

    `Fault("…")` says more than the class's own string does.
    """

    code: ClassVar[str]
    string: str
    sonos_error: ClassVar[int | None] = None
    exception_info: ClassVar[str | None] = None

    def __init__(self, string: str | None = None) -> None:
        if string is not None:
            self.string = string
        super().__init__(f"{self.code}: {self.string}")


class NotLinkedRetry(Fault):
    """Sent to getDeviceAuthToken while the person has not finished. Sonos asks again after five seconds.

    Code, number and interval as in the Sonos Python self test 1.2.0; Sonos stops after seven minutes (Sonos
    documentation, "Handle auth errors").
    """

    code = "Client.NOT_LINKED_RETRY"
    string = "The listener has not finished signing in"
    sonos_error = 5
    exception_info = "Link code not confirmed yet, ask again"


class NotLinkedFailure(Fault):
    """Sent to getDeviceAuthToken when this link can never succeed. Sonos stops asking and shows an error.

    The Sonos app takes it for that with SonosError 6 only (Sonos documentation, "Handle auth errors").
    """

    code = "Client.NOT_LINKED_FAILURE"
    string = "The link cannot be completed"
    sonos_error = 6
    exception_info = "Link declined, failed, used or timed out, start again"


class LoginUnauthorized(Fault):
    """Sent when the credentials belong to no account that may be used. Sonos offers to sign in again.

    Sonos documentation, "Use authentication tokens": the answer to a token that does not match a valid user.
    """

    code = "Client.LoginUnauthorized"
    string = "The credentials do not belong to a linked account"


class LoginInvalid(Fault):
    """Sent to getSessionId for a wrong user name or password. Sonos shows an error.

    Sonos Python self test 1.2.0, test_invalid_credentials.
    """

    code = "Client.LoginInvalid"
    string = "Wrong user name or password"


class LoginUnsupported(Fault):
    """Sent when this kind of account, a free tier perhaps, cannot be used. Sonos shows an error.

    Sonos Python self test 1.2.0, test_unsupported_account.
    """

    code = "Client.LoginUnsupported"
    string = "This account cannot be used with Sonos"


class LoginDisabled(Fault):
    """Sent when the account has been disabled. Sonos shows an error.

    Sonos documentation, "Error handling", list of predefined codes.
    """

    code = "Client.LoginDisabled"
    string = "The account is disabled"


class SessionIdInvalid(Fault):
    """Sent when a session id is unknown or over. Sonos calls getSessionId and repeats the request.

    Sonos Python self test 1.2.0, __withLoginRetry.
    """

    code = "Client.SessionIdInvalid"
    string = "The session is not known"


class AuthTokenExpired(Fault):
    """Sent when a token is dead and cannot be renewed. Sonos asks the person to authorize the account again.

    Never for anything that may pass: it costs a household its link. Also what a service that has moved from
    session ids to tokens answers to getSessionId (Sonos documentation, "getSessionId"). No SonosError: the
    self test would prefer it to the code.
    """

    code = "Client.AuthTokenExpired"
    string = "The account must be authorized again"


class TokenRefreshRequired(Fault):
    """Sent on any call with a stale token, with a new pair. Sonos stores that and repeats the call, once.

    Sonos WSDL 1.19.6, customFault/refreshAuthTokenResult. The string is spelt as @svrooij/sonos 2.5.0
    compares it: that client looks at nothing else.
    """

    code = "Client.TokenRefreshRequired"
    string = "tokenRefreshRequired"

    def __init__(self, renewed: DeviceAuthTokenResult) -> None:
        super().__init__()
        self.renewed = renewed


class ItemNotFound(Fault):
    """Sent when there is nothing with the id asked for. Sonos shows an error for that item.

    Sonos documentation, "Error handling", list of predefined codes.
    """

    code = "Client.ItemNotFound"
    string = "There is no such item"


class MalformedCall(Fault):
    """Sent when the request cannot be read in exactly one way. Sonos shows a general error.

    Sonos has no code for it; this one is made as SOAP 1.1, section 4.4.1, has it: class Client, then a dot.
    """

    code = "Client.MalformedRequest"
    string = "The request is malformed"


class MethodNotSupported(Fault):
    """Sent when nothing here answers this method. Sonos shows a general error, if anything.

    Sonos documentation, "Key requirements": a request that a service does not support is answered, with a
    fault if need be.
    """

    code = "Client.MethodNotSupported"
    string = "This service does not answer that method"


class ServiceUnavailable(Fault):
    """Sent when we cannot answer at the moment. Sonos shows an error; nothing is lost by it.

    Sonos documentation, "Error handling". No SonosError: the self test would prefer it to the code.
    """

    code = "Server.ServiceUnavailable"
    string = "The service cannot answer at the moment"


class ServiceUnknownError(Fault):
    """Sent when we failed in a way that nobody foresaw. Sonos shows a general error.

    Sonos documentation, "Error handling": the code where no other fits. The cause is in our log under
    `reference`, which is all that leaves the house.
    """

    code = "Server.ServiceUnknownError"
    string = "The service failed"

    def __init__(self, reference: str) -> None:
        super().__init__(f"The service failed, reference {reference}")
        self.reference = reference


FAULTS: tuple[type[Fault], ...] = (
    NotLinkedRetry,
    NotLinkedFailure,
    LoginUnauthorized,
    LoginInvalid,
    LoginUnsupported,
    LoginDisabled,
    SessionIdInvalid,
    AuthTokenExpired,
    TokenRefreshRequired,
    ItemNotFound,
    MalformedCall,
    MethodNotSupported,
    ServiceUnavailable,
    ServiceUnknownError,
)
