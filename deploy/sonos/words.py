"""The texts that Sonos shows for us, by what they are for; the settings say under which id each is registered.

The words are English here and translated in the catalogues of the pages, so that there is one place for translators.
"""

from collections.abc import Iterator

from gateway.pages.languages import N_
from shared.settings import ServiceSettings

SONOS_TAGS = {
    "en": "en-US",
    "da": "da-DK",
    "de": "de-DE",
    "es": "es-ES",
    "fr": "fr-FR",
    "it": "it-IT",
    "ja": "ja-JP",
    "nb": "nb-NO",
    "nl": "nl-NL",
    "pt-BR": "pt-BR",
    "sv": "sv-SE",
    "zh-CN": "zh-CN",
}
"""A language of ours -> what Sonos calls it; its self test refuses every other name and wants all of these."""

DESCRIPTION = N_("Listen to %(service)s on Sonos.")
PROMOTION = N_("Add your %(service)s account to Sonos and listen in every room.")
ERRORS = {
    5: N_("You have not finished signing in to %(service)s yet."),
    6: N_("%(service)s could not be added. Please start again."),
}
"""SonosError -> the text for it. Sonos wants both, though its app shows neither."""

_SIGN_IN = N_("Sign in")
_CREATE_ACCOUNT = N_("Create an account")
_APP_FAILED = N_("The %(service)s app could not be opened. Please sign in by browser.")
_HELP = N_("Get help")
_INSTALL = N_("Install the %(service)s app to sign in with it.")
_GET_APP = N_("Get the app")
_NOT_HERE = N_("%(service)s cannot be added from this device. Please use the Sonos app on a phone or tablet.")
_MORE = N_("Learn more")


def wanted(service: ServiceSettings) -> dict[str, str]:
    """Return what has to be registered besides description and promotion: id -> English text."""
    texts = {f"Error{number}Message": text for number, text in ERRORS.items()}
    for string_id, text in _named(service):
        texts.setdefault(string_id, text)
    return texts


def _named(service: ServiceSettings) -> Iterator[tuple[str, str]]:
    """Give the ids that the settings of a service name, each with what it is for."""
    if service.auth != "link":
        return
    yield service.sign_in_string_id, _SIGN_IN
    if service.create_account:
        yield service.create_account.string_id, _CREATE_ACCOUNT
    app = service.app
    if app is None:
        return
    optional = [(app.failure_string_id, _APP_FAILED), (app.failure_url_string_id, _HELP)]
    for action, message, label in ((app.install, _INSTALL, _GET_APP), (app.call_to_action, _NOT_HERE, _MORE)):
        if action is not None:
            optional += [(action.message_string_id, message), (action.url_string_id, label)]
    yield from ((string_id, text) for string_id, text in optional if string_id)
