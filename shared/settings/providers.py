"""The settings of identity providers: one class for each type, and the union of them all."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.settings.sections import Section

LOCAL = "local"
"""The name of the accounts of this installation itself."""


class ProviderSection(Section):
    """What the settings of every provider have."""

    takes_password: ClassVar[bool]
    """Whether people type name and password into our page; if not, the browser is sent to the provider."""

    title: str = Field("", max_length=64)
    """What people call the accounts of this provider; default: the title of the service."""


class LocalProviderSettings(ProviderSection):
    """The accounts of this installation itself: for small installs and for trying out."""

    takes_password = True

    type: Literal["local"] = "local"
    """`local`: the accounts that `latchkey accounts` manages; its name has to be `local`, too."""


ProviderSettings = LocalProviderSettings
