"""Programme: what the user asks each face to show over time, and the files and notations that state it."""

from reenact.programme.programme import Programme
from reenact.programme.target_syntax import TargetError, parse_targets
from reenact.programme.targets import Targets

__all__ = ["Programme", "TargetError", "Targets", "parse_targets"]
