"""getUserInfo: who the token belongs to."""

from gateway.context import GatewayContext
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.results import UserInfo
from shared.domain.account import user_id_hash_code


async def get_user_info(request: Request, context: GatewayContext) -> UserInfo:
    """Answer with the account's userIdHashCode, tier and nickname. Source: docs.sonos.com, "getUserInfo"."""
    account = (await tokens.guard(request, context)).account
    return UserInfo(
        user_id_hash_code=user_id_hash_code(account.account_id),
        account_tier=account.tier,
        nickname=account.nickname,
    )
