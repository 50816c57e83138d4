"""The ways in which the wrong server can be wrong: where that was seen or is warned of, and which checks have to say so."""

from deploy.check.dialects import DIALECTS

_EVERY_DIALECT = " ".join(f"dialect.{each.name}" for each in DIALECTS)
_HOUSEHOLD_ALONE = " ".join(f"dialect.{each.name}" for each in DIALECTS if each.only_household)

_EVERY_USE = " ".join(
    f"use.{name}"
    for name in (
        "account-action",
        "header",
        "last-update",
        "other-device",
        "other-household",
        "root",
        "without-key",
    )
)

#: Name -> (what is wrong, the checks that find it).
WRONGS: dict[str, tuple[str, str]] = {
    # HTTP and faults
    "fault-status-200": ("Faults come with HTTP 200 (node-soap's default, bonob).", "http.fault-status"),
    "fault-status-401": ("Auth faults come with HTTP 401.", "http.fault-status"),
    "fault-without-client": (
        "A code has neither Client nor Server in front (self test, malformed fault).",
        "fault.prefix",
    ),
    "fault-of-soap-12": (
        "An unforeseen error gets a fault shaped like SOAP 1.2 (bonob before it wrapped its handlers).",
        "fault.prefix fault.shape refresh.unknown-token use.altered-token use.no-token use.unknown-token",
    ),
    "fault-without-string": ("Faults have no faultstring.", "fault.shape refresh.fault-string"),
    "fault-detail-bare": ("What is in detail has no namespace (airsonic).", "fault.detail"),
    "fault-leaks": ("The text of a fault is a stack trace.", "fault.leak refresh.fault-string"),
    "fault-beside-header": ("A fault stands beside a Header.", "fault.alone"),
    "revoked-has-number": ("AuthTokenExpired carries a SonosError.", "fault.number revoke.number"),
    "content-type-soap-12": ("Answers say application/soap+xml.", "http.content-type"),
    "unknown-method-empty": (
        "An unknown method is answered with HTTP 200 and nothing.",
        "http.soap http.unknown-method",
    ),
    "redirects": ("A call is redirected to another address.", "http.result-status http.soap user.same"),
    "slow-poll": ("A poll waits for the worker.", "http.pace"),
    "get-breaks": ("GET shows a stack trace.", "http.get"),
    # Links
    "code-of-36": ("The code is a UUID with its dashes (bonob #283).", "link.code-length"),
    "code-numeric": ("The code is a number (node-sonos-ts).", "link.code-shape"),
    "code-of-8-bare": (
        "The code has 8 characters, and there is no linkDeviceId (JellyfinSonos).",
        "link.code-secret",
    ),
    "code-counts": ("Codes are counted.", "link.code-secret"),
    "code-of-household": ("The household has one code for ever.", "link.code-secret"),
    "code-for-ever": ("A code never ends (bonob).", "link.expiry"),
    "code-too-short-lived": ("A code ends after two minutes.", "link.life"),
    "hidden-half-empty": ("linkDeviceId is there and empty (noson crashes).", "link.empty-elements"),
    "string-id-missing": ("appUrlStringId is missing.", "link.answer"),
    "flag-spelt": ("showLinkCode is `False`, as Python writes it.", "link.answer link.both-calls"),
    "ampersand-raw": (
        "The & in regUrl is not escaped.",
        f"http.soap link.answer link.both-calls link.household link.stale-credentials {_EVERY_DIALECT}",
    ),
    "whole-request-demanded": (
        "getAppLink without hardware is refused (validation by the schema).",
        _HOUSEHOLD_ALONE,
    ),
    "stale-token-refused": (
        "Calls that make links check the token in their header (TIDAL, SoCo #891).",
        "link.stale-credentials dialect.noson",
    ),
    "household-of-64": ("Household ids of more than 64 characters are refused.", "link.household"),
    "page-missing": ("The page behind regUrl is not there.", "link.page link.completes"),
    "page-injects": ("The page shows unescaped what came with the call.", "link.page-injection"),
    "device-link-breaks": ("getDeviceLinkCode is answered with a page of HTML.", "http.soap link.both-calls"),
    # Polls
    "pending-untyped": (
        "What is not finished is ServiceUnavailable (a fork of Navidrome).",
        f"link.life link.stale-credentials poll.limit poll.pending {_EVERY_DIALECT}",
    ),
    "retry-for-unknown": ("Unknown codes are pending (bonob, airsonic).", "poll.forged poll.altered"),
    "retry-without-5": ("NOT_LINKED_RETRY has no SonosError.", "poll.pending-number"),
    "failure-without-6": ("NOT_LINKED_FAILURE has no SonosError.", "poll.failure-number"),
    "prefix-of-code": ("The beginning of a code is enough.", "poll.altered"),
    "polls-rationed": ("Polls are rationed (a fork of Navidrome).", "poll.limit"),
    "upgrade-untyped": ("An upgrade is an untyped failure.", "legacy.upgrade"),
    "upgrade-for-anybody": ("A poll without a code gets a token.", "poll.no-code poll.made-up-login"),
    # Pairs
    "no-private-key": (
        "There is no privateKey (a fork of Navidrome; bonob #283).",
        "token.answer token.private-key",
    ),
    "nickname-first": (
        "userInfo has nickname before userIdHashCode (bonob #283).",
        "refresh.explicit token.answer user.same",
    ),
    "nickname-of-60": ("The nickname has 60 characters.", "refresh.explicit token.answer user.same"),
    "tier-of-2017": ("accountTier is spelt as in 2017.", "refresh.explicit token.answer user.same"),
    "no-user-info": ("There is no userInfo.", "user.info user.same"),
    "hash-is-address": ("userIdHashCode is an e-mail address.", "user.hash"),
    "hash-differs": ("getUserInfo has another userIdHashCode.", "user.same"),
    "hash-changes": ("Linking again gives another userIdHashCode.", "relink.same-user"),
    "token-numeric": ("The token is a number.", "token.shape"),
    "token-of-3000": (
        "The token has 3000 characters.",
        "refresh.explicit refresh.fault-detail token.answer token.length",
    ),
    "token-holds-password": ("The token holds name and password in Base64 (bonob).", "token.no-password"),
    "token-is-code": ("The token is the link code (the SoundCloud demo).", "token.not-the-code"),
    "token-unsigned": ("The signature of a token is not looked at.", "use.altered-token"),
    "hidden-half-ignored": ("linkDeviceId is not looked at.", "token.device"),
    "pair-anew": ("Each poll makes another pair.", "token.repeat"),
    "link-once": ("A household can link once (TIDAL, by SoCo's account).", "relink.works"),
    "code-used-twice": ("A used code can be used again, by whoever has the address.", "token.single-use"),
    # Use
    "header-token-ignored": (
        "The SOAP header is not looked at.",
        f"refresh.explicit refresh.stale relink.works {_EVERY_USE} user.same",
    ),
    "root-missing": ("The root cannot be opened.", "use.root"),
    "key-demanded": ("Calls without the key are refused.", "refresh.fault-bearer use.bearer use.without-key"),
    "bearer-ignored": ("The Authorization header is not looked at.", "refresh.fault-bearer use.bearer"),
    "household-compared": (
        "The household has to be the same as when linking.",
        "use.bearer use.other-household",
    ),
    "device-compared": ("The deviceId has to be the same as when linking.", "use.other-device"),
    "no-token-untyped": ("A call without a token is ServiceUnknownError.", "use.no-token"),
    "unknown-token-empty": (
        "An unknown token gets an empty list (the Jellyfin plugin).",
        "use.altered-token use.unknown-token",
    ),
    "versions-restless": ("The versions of getLastUpdate are always new.", "use.last-update"),
    "interval-of-5": ("pollInterval is 5.", "use.last-update"),
    "action-refused": ("reportAccountAction is not there (bonob #205).", "use.account-action"),
    # Refresh
    "refresh-missing": ("refreshAuthToken is not there (Amazon).", "refresh.explicit"),
    "refresh-without-key": ("The new pair has no key.", "refresh.explicit"),
    "refresh-once": (
        "A pair can be refreshed once; whoever comes second is signed out.",
        "refresh.lost-answer refresh.race",
    ),
    "refresh-dead": (
        "The new pair does not work.",
        "refresh.fault-pair refresh.fault-repeat refresh.lost-answer refresh.race refresh.works",
    ),
    "refresh-changes-hash": ("A refresh gives another userIdHashCode.", "refresh.same-user"),
    "refresh-any-key": ("The key is not looked at.", "refresh.wrong-key"),
    "stale-is-expired": ("A stale token is AuthTokenExpired.", "refresh.stale"),
    "stale-string": ("The text of TokenRefreshRequired is another (node-sonos-ts).", "refresh.fault-string"),
    "stale-wrapped": ("The pair in the fault is wrapped once more (airsonic).", "refresh.fault-detail"),
    "stale-dead": ("The pair in the fault does not work.", "refresh.fault-pair refresh.fault-repeat"),
    # Revocation and sessions
    "revoked-lives": ("A revoked token goes on.", "revoke.refused"),
    "revoked-renewed": ("A revoked token can be refreshed.", "revoke.no-successor"),
    "session-of-200": ("Session ids have 200 characters.", "session.id"),
    "session-unknown-login": ("An unknown session is LoginInvalid.", "session.unknown"),
    "session-any-password": ("Any password will do.", "session.wrong-password"),
    "session-wrong-as-unknown": (
        "A wrong password is SessionIdInvalid.",
        "session.made-up-account session.wrong-password",
    ),
    "session-id-for-anybody": ("A service with tokens gives session ids to anybody.", "legacy.session-id"),
    "session-in-vain": ("Session ids are of no use.", "session.use"),
    "session-not-needed": ("Nobody needs a session id.", "session.none"),
    "header-any-password": ("Any password in the header will do.", "stateless.wrong-password"),
    "header-in-vain": ("The right password in the header is of no use.", "stateless.use"),
    "open-refuses-tokens": ("The anonymous service refuses tokens.", "anonymous.credentials dialect.noson"),
    "open-wants-token": ("The anonymous service wants a token for getLastUpdate.", "use.last-update"),
    # XML
    "entities": ("Entities are resolved.", "xml.document-type xml.external-entity"),
    "entities-outside": (
        "A document type is taken, and what it names is left out.",
        "xml.document-type xml.entity-bomb xml.external-entity",
    ),
    "size-unbounded": ("Requests may have any size.", "xml.large"),
    "attributes-slow": ("Many attributes take long.", "xml.attributes"),
    "rubbish-is-html": ("What is no XML gets HTTP 400 and a page.", "xml.deep xml.rubbish"),
}
