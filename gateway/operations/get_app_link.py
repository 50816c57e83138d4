"""getAppLink: the first call of adding or reauthorizing an account."""

from gateway.context import GatewayContext
from gateway.operations import linking
from gateway.operations.request import Request
from gateway.smapi.results import AppLinkInfo, AppLinkResult, CallToAction
from shared.domain import deep_link
from shared.domain.deep_link import Platform
from shared.settings import ActionSettings, AppSettings, ServiceSettings

_NO_APP = AppSettings()


async def get_app_link(request: Request, context: GatewayContext) -> AppLinkResult | CallToAction:
    """Answer with the ways to sign in: the service's app if it has one, and always the browser.

    Where the settings say that no link fits the device, no link is made and the answer says what to do instead.

    Source: docs.sonos.com, "getAppLink". Credentials in the header are ignored: some controllers send stale ones here.
    """
    app, platform = request.settings.app or _NO_APP, Platform.OTHER
    if request.settings.app is not None:
        platform = deep_link.platform_of(
            hardware=request.argument("hardware"), app_name=request.argument("sonosAppName")
        )
    if app.call_to_action is not None and platform in app.call_to_action.platforms:
        return _action(app.call_to_action)
    device_link, household_id = await linking.issue(request, context)
    template, values = _template(request.settings, app, platform), {}
    if template is not None or request.settings.create_account is not None:
        values = deep_link.values(
            link_code=device_link.link_code,
            household_id=household_id,
            callback_path=request.argument("callbackPath", longest=linking.LONGEST_CALLBACK),
        )
    app_url = _filled(template, values)
    return AppLinkResult(
        authorize_account=AppLinkInfo(
            app_url=app_url,
            app_url_string_id=request.settings.sign_in_string_id,
            device_link=device_link,
            failure_string_id=app.failure_string_id,
            failure_url=app.failure_url,
            failure_url_string_id=app.failure_url_string_id,
        ),
        create_account=_create_account(request.settings, values),
        install_action=_action(app.install) if app.install and app_url else None,
    )


def _template(service: ServiceSettings, app: AppSettings, platform: Platform) -> str | None:
    own = {Platform.IOS: app.ios_url, Platform.ANDROID: app.android_url}.get(platform)
    return own or service.app_url


def _create_account(settings: ServiceSettings, values: dict[str, str]) -> AppLinkInfo | None:
    if settings.create_account is None:
        return None
    return AppLinkInfo(
        app_url=_filled(settings.create_account.app_url, values),
        app_url_string_id=settings.create_account.string_id,
    )


def _filled(template: str | None, values: dict[str, str]) -> str | None:
    """Return a deep link, or None where there is none or it would be too long: the browser's way is always there."""
    return None if template is None else deep_link.filled(template, values)


def _action(settings: ActionSettings) -> CallToAction:
    return CallToAction(
        message_string_id=settings.message_string_id, url=settings.url, url_string_id=settings.url_string_id
    )
