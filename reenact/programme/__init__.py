"""Programme: what the user asks each face to show, and the files that say it."""

from reenact.programme.options import RetargetOptions
from reenact.programme.protocol import Programme
from reenact.programme.targets import TargetError, Targets, parse_targets

__all__ = ["Programme", "RetargetOptions", "TargetError", "Targets", "parse_targets"]
