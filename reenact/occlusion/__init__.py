"""Occlusion: detects whether something in front of a face hides its mouth, so that nothing is painted on
it."""

from reenact.occlusion.mouth_occlusion import MouthOcclusion, load_mouth_occlusion
from reenact.occlusion.watch import OcclusionOptions, OcclusionWatch

__all__ = ["MouthOcclusion", "OcclusionOptions", "OcclusionWatch", "load_mouth_occlusion"]
