"""What is inside sealed boxes, and what each box is bound to.

Evidence of who somebody is goes from gateways to auth_worker; the pair goes from token_worker to gateways. Evidence of a password has no
`type`: that is how gateways wrote it before there was another kind, and such evidence may still be on its way.
"""

import msgspec

from shared.domain.account import AccountTier


class LoginEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a person typed; sealed for auth_worker, bound to `evidence_identity`."""

    name: str
    password: str

    def __repr__(self) -> str:
        return "LoginEvidence(***)"


class CodeEvidence(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="code"
):
    """What a browser brought back from a provider; sealed for auth_worker, bound to `evidence_identity`."""

    code: str
    """The authorization code."""
    verifier: str
    """What the provider knows the SHA-256 of (PKCE)."""
    nonce: str
    """What an ID token for this browser carries."""
    redirect_uri: str

    def __repr__(self) -> str:
        return "CodeEvidence(***)"


class UpgradeEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Old credentials, one kind of them or none at all; sealed for auth_worker, bound to `evidence_identity`."""

    login: LoginEvidence | None = None
    session_id: str | None = None
    token: str | None = None
    """Of the service that this one came from."""

    def __repr__(self) -> str:
        return "UpgradeEvidence(***)"


class Vouched(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom the back end vouches for; sealed for auth_worker, bound to `vouched_identity`."""

    subject: str
    nickname: str | None = None

    def __repr__(self) -> str:
        return "Vouched(***)"


class AppEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who allows a link: one of the two; sealed for auth_worker, bound to `evidence_identity`."""

    token: str | None = None
    """The person's access token, as their app has it."""
    vouched: Vouched | None = None
    """The word of the back end."""

    def __repr__(self) -> str:
        return "AppEvidence(***)"


class EndEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose account has ended: one of the two; sealed for auth_worker, bound to `end_identity`."""

    provider: str
    logout_token: str | None = None
    """As the provider sent it, nothing of it checked yet."""
    subject: str | None = None
    """From a request whose signature was good."""
    event_id: str = ""
    """With a subject: the hash of what makes that request differ from every other."""

    def __repr__(self) -> str:
        return "EndEvidence(***)"


class Pair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Sonos gets in the end; sealed for the gateways, bound to the delivery's id."""

    auth_token: str
    private_key: str
    user_id_hash_code: str
    nickname: str
    tier: AccountTier | None = None

    def __repr__(self) -> str:
        return "Pair(***)"


def evidence_identity(link_id: str, submission_id: str) -> str:
    """Return what sealed evidence is bound to."""
    return f"evidence {link_id} {submission_id}"


def vouched_identity(request_id: str) -> str:
    """Return what a sealed `Vouched` is bound to: the id of its link, or of its request."""
    return f"vouched {request_id}"


def end_identity(request_id: str) -> str:
    """Return what sealed word of an account's end is bound to."""
    return f"account end {request_id}"


def page_code_identity(typed_id: str) -> str:
    """Return what the sealed link code behind a typed one is bound to."""
    return f"typed code {typed_id}"


def refresh_delivery_id(grant_id: str, family: int, generation: int) -> str:
    """Return the id of the delivery that answers whoever presents this generation."""
    return f"{grant_id}.{family}.{generation}"


def upgrade_delivery_id(request_id: str) -> str:
    """Return the id of the delivery that answers an upgrade."""
    return f"upgrade.{request_id}"


class _Kind(msgspec.Struct):
    type: str = "password"


_KINDS: dict[str, type[LoginEvidence] | type[CodeEvidence]] = {
    "password": LoginEvidence,
    "code": CodeEvidence,
}


def evidence_from(content: bytes) -> LoginEvidence | CodeEvidence:
    """Return the evidence that was in a box.

    Raises:
        msgspec.MsgspecError: none that this version understands.
    """
    kind = msgspec.json.decode(content, type=_Kind).type
    if kind not in _KINDS:
        raise msgspec.ValidationError(f"unknown kind of evidence {kind[:32]!r}")
    return msgspec.json.decode(content, type=_KINDS[kind])


def provider_tokens_identity(account_id: str) -> str:
    """Return what the tokens that are kept of a provider are bound to, sealed for auth_worker."""
    return f"provider tokens {account_id}"
