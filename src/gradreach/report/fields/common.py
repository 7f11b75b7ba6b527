"""What the fields of the JSON reports share: their base, and the kinds of numbers."""

from typing import Annotated

from msgspec import Meta, Struct


class Fields(Struct, forbid_unknown_fields=True):
    """A JSON object all of whose fields are there; its schema is drawn from the types and descriptions."""


Count = Annotated[int, Meta(ge=0)]
Figure = float | None
"""It is null where it was not measured or is not finite."""

Share = Annotated[float, Meta(ge=0, le=1)] | None
"""A part of a whole; null where it was not measured."""
