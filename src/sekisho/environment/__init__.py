"""What is wanted: ``sekisho.yaml`` → Environment → Estate. Pure, but for reading the file."""

from sekisho.environment.compile import OURS, Room, compile_environment, group_room, trust_room
from sekisho.environment.file import Environment, RoleWanted, load_environment, parse_environment
from sekisho.environment.must import Acceptance, acceptance, acceptances, invariants
from sekisho.environment.schema import environment_schema

__all__ = [
    "OURS",
    "Acceptance",
    "Environment",
    "RoleWanted",
    "Room",
    "acceptance",
    "acceptances",
    "compile_environment",
    "environment_schema",
    "group_room",
    "invariants",
    "load_environment",
    "parse_environment",
    "trust_room",
]
