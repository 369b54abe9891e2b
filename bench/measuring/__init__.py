"""How the benches measure and report: interleaved rounds and their medians, one table, one JSON file. Peers: ``measuring.peers``."""

from measuring.report import OUT, Report, Row
from measuring.rounds import interleaved, median_ratio, per_call

__all__ = ["OUT", "Report", "Row", "interleaved", "median_ratio", "per_call"]
