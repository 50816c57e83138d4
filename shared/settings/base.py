"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """What every section of the settings is."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
