"""getUserInfo: who the token belongs to."""

from gateway.context import GatewayContext
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.results import UserInfo
from shared.domain.account import user_id_hash_code
from shared.domain.errors import TokenRefused


async def get_user_info(request: Request, context: GatewayContext) -> UserInfo:
    """Answer with the account's userIdHashCode, tier and nickname. Source: docs.sonos.com, "getUserInfo"."""
    caller = await tokens.guard(request, context)
    if caller.account_id is None:
        raise TokenRefused("nobody in particular is asking")
    return UserInfo(
        user_id_hash_code=user_id_hash_code(caller.account_id),
        account_tier=caller.tier,
        nickname=caller.nickname,
    )
