"""Evidence of either kind is read, that of older gateways too."""

import msgspec
import pytest

from shared.boxes import CodeEvidence, LoginEvidence, evidence_from

PASSWORD = LoginEvidence(name="ann", password="canary")
CODE = CodeEvidence(code="canary", verifier="canary", nonce="canary", redirect_uri="https://x/callback/corp")


@pytest.mark.parametrize("evidence", [PASSWORD, CODE], ids=lambda each: type(each).__name__)
def test_evidence_comes_out_as_it_went_in(evidence: LoginEvidence | CodeEvidence) -> None:
    """Each as what it is, and neither shows itself."""
    read = evidence_from(msgspec.json.encode(evidence))

    assert evidence == read
    assert "canary" not in repr(read)


def test_evidence_of_earlier_gateways_is_a_password() -> None:
    """It had no kind, for there was one only."""
    assert evidence_from(b'{"name":"ann","password":"canary"}') == PASSWORD


@pytest.mark.parametrize(
    "content", [b"{}", b'{"type":"fingerprint"}', b'{"type":"code"}', b'{"type":7}', b"[]"]
)
def test_evidence_that_nobody_understands(content: bytes) -> None:
    """Is an error, and does not become a password."""
    with pytest.raises(msgspec.MsgspecError):
        evidence_from(content)
