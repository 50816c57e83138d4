"""Which methods are answered behind the front door."""

from typing import get_args

import pytest

from gateway.front_door import KEPT, KEPT_UNLESS_SET, behind
from gateway.operations import OPERATIONS
from gateway.smapi.methods import METHODS
from shared.settings import ContentSettings, ServiceSettings

CONTENT = ContentSettings(url="http://content.internal/smapi")
SERVICE = ServiceSettings(content=CONTENT)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_leaves_without_a_content_server(method: str) -> None:
    """Without `content.url`, everything is answered here."""
    assert None is behind(method, ServiceSettings())


def test_every_operation_has_its_side() -> None:
    """An operation is kept, or may be set to pass; only the small built-in catalogue gives way by itself."""
    assert {"getMetadata"} == set(OPERATIONS) - KEPT - KEPT_UNLESS_SET


def test_settings_name_what_may_pass() -> None:
    """The setting takes these names and no others."""
    (literal,) = get_args(ContentSettings.model_fields["pass_on"].annotation)

    assert set(get_args(literal)) == KEPT_UNLESS_SET


def test_one_method_passes_alone() -> None:
    """`pass_on` is per method."""
    content = CONTENT.model_copy(update={"pass_on": frozenset({"getUserInfo"})})
    passed = {method for method in KEPT_UNLESS_SET if behind(method, ServiceSettings(content=content))}

    assert {"getUserInfo"} == passed


def test_credentials_never_pass() -> None:
    """Not even if somebody should write it into the settings behind their back."""
    content = CONTENT.model_copy(update={"pass_on": KEPT})

    assert [None] * len(KEPT) == [behind(method, ServiceSettings(content=content)) for method in KEPT]


def test_what_nobody_knows_yet_passes() -> None:
    """A method that Sonos adds tomorrow is the content server's to answer."""
    assert CONTENT is behind("getSomethingNew", SERVICE)
