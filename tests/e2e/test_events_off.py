"""Without a word in the settings, nobody may say that an account has ended, and no app may approve."""

import aiohttp

from tests.play.operator import System


async def test_off_by_default(running: System, http: aiohttp.ClientSession) -> None:
    """Where the settings name nobody, there is nothing to try."""
    statuses = []
    for path in (
        "/backchannel/acme",
        "/backchannel/local",
        "/events/account.disabled",
        "/api/links/x/approve",
        "/api/links/x/decline",
    ):
        async with http.post(running.gateways[0] + path, data={"logout_token": "x"}) as response:
            statuses.append(response.status)

    assert [404] * 5 == statuses
