"""Where a browser says that it comes from: a vantage point of the file, any address, or a VPC endpoint."""

from __future__ import annotations

from sekisho.environment import Environment
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.origin import THIS_MACHINE, Origin, parted

_MOST = 120
"""Characters of an address or endpoint that are read."""


class Networks:
    """``places``: the names of the file's vantage points and their addresses."""

    def __init__(self, environment: Environment | None) -> None:
        self.places: dict[str, str] = dict(environment.vantage_points) if environment is not None else {}

    @property
    def first(self) -> Origin:
        """Where a browser comes from before it says so: the file's first vantage point, else this machine."""
        return Origin(next(iter(self.places.values()))) if self.places else THIS_MACHINE

    def name(self, origin: Origin) -> str:
        """The vantage point that an origin is; empty where it has no name."""
        return next((name for name, address in self.places.items() if not origin.vpce and address == origin.address), "")

    def read(self, text: str) -> Origin:
        """A vantage point's name, an address, or ``vpce-…[,vpc-…[,private address]]``. Raises AwsFault for anything else."""
        text = text.strip()
        if text in self.places:
            return Origin(self.places[text])
        if len(text) > _MOST or "/" in text or "%" in text or not text:
            raise AwsFault("InvalidEndpoint", text[:60], 400)
        return parted(f"/via/{text}/" if text.startswith("vpce-") else f"/from/{text}/").origin
