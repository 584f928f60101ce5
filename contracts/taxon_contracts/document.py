"""What every JSON document between the parts is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from taxon_contracts import names

Version = Annotated[str, StringConstraints(pattern=names.VERSION_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=names.DIGEST_PATTERN, max_length=71)]


class Document(BaseModel):
    """A frozen JSON document with no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
