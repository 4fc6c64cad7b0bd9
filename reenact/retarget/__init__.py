"""Retarget: the control law from what is asked for and what is measured to relative action units."""

from reenact.retarget.options import RetargetOptions
from reenact.retarget.retargeter import Retargeter

__all__ = ["RetargetOptions", "Retargeter"]
