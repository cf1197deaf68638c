"""What every mapping of the file has in common."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A mapping of the file. That None is no value of it is seen to before (see `structure`)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)
