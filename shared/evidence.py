"""What is inside sealed login evidence, and how its kinds are told apart.

Evidence of a password has no `type`: that is how gateways wrote it before there was another kind, and such evidence may
still be on its way.
"""

import msgspec

from shared.messages import LoginEvidence


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
