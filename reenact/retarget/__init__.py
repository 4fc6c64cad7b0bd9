"""Retarget: from what is asked for and what is measured to relative action units."""

from reenact.retarget.options import RetargetOptions
from reenact.retarget.programme import Programme
from reenact.retarget.retargeter import Retargeter
from reenact.retarget.targets import TargetError, Targets, parse_targets

__all__ = ["Programme", "RetargetOptions", "Retargeter", "TargetError", "Targets", "parse_targets"]
