"""The prepared HMAC is the library's."""

import hmac

from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.mac import mac_under


@given(key=st.binary(max_size=200), messages=st.lists(st.binary(max_size=200), min_size=1, max_size=3))
@example(key=b"", messages=[b""])
@example(key=b"k" * 64, messages=[b"m"])
@example(key=b"k" * 65, messages=[b"m", b"m"])
def test_same_as_hmac(key: bytes, messages: list[bytes]) -> None:
    """Keys of any length, and one message after the other."""
    mac = mac_under(key)

    assert [hmac.digest(key, message, "sha256") for message in messages] == list(map(mac, messages))
