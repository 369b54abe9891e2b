"""What is wanted: ``sekisho.yaml`` → Environment → Estate. Pure, but for reading the file."""

from sekisho.environment.compile import OURS, Room, compile_environment, group_room, trust_room
from sekisho.environment.file import Environment, RoleWanted, load_environment, parse_environment
from sekisho.environment.schema import environment_schema

__all__ = [
    "OURS",
    "Environment",
    "RoleWanted",
    "Room",
    "compile_environment",
    "environment_schema",
    "group_room",
    "load_environment",
    "parse_environment",
    "trust_room",
]
