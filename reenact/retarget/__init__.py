"""Retarget: from what is asked for and what is measured to relative action units."""

from reenact.retarget.options import RetargetOptions
from reenact.retarget.retargeter import Programme, Retargeter
from reenact.retarget.targets import TargetError, Targets, parse_targets

__all__ = ["Programme", "RetargetOptions", "Retargeter", "TargetError", "Targets", "parse_targets"]
