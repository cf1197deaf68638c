"""What every mapping of the file has in common."""

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticUseDefault

from gateway.config.interpolation import Unset


class Spec(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            raise ValueError("has no value (leave the line out to get the default)")
        if isinstance(value, Unset) and info.field_name and not cls.model_fields[info.field_name].is_required():
            raise PydanticUseDefault
        return value
