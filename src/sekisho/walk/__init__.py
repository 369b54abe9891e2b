"""The walk: drive a real API as each user from each vantage point, each outcome beside what was predicted."""

from sekisho.walk.rows import Row
from sekisho.walk.walk import Progress, walk

__all__ = ["Progress", "Row", "walk"]
