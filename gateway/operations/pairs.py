"""Opens deliveries: the pair that token_worker sealed for the gateways, as Sonos wants it."""

import msgspec

from gateway.context import GatewayContext
from gateway.smapi.results import DeviceAuthTokenResult, UserInfo
from shared.boxes import Pair
from shared.domain.errors import TryAgainLater
from shared.sealing import unseal


def opened(sealed: bytes | None, *, delivery_id: str, context: GatewayContext) -> DeviceAuthTokenResult:
    """Return the pair of a delivery.

    Raises:
        TryAgainLater: there is none (any more); whoever asks again has it made again.
        SealError: the box is not what token_worker wrote for this id.
    """
    if sealed is None:
        raise TryAgainLater("the pair is not delivered any more")
    private_keys = [key.secret for key in context.keys.box]
    pair = _PAIR.decode(unseal(sealed, private_keys=private_keys, bound_to=delivery_id))
    return DeviceAuthTokenResult(
        auth_token=pair.auth_token,
        private_key=pair.private_key,
        user_info=UserInfo(
            user_id_hash_code=pair.user_id_hash_code,
            account_tier=pair.tier,
            nickname=pair.nickname or None,
        ),
    )


_PAIR = msgspec.json.Decoder(Pair)
