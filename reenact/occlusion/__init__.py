"""Occlusion: detects objects in front of a mouth, so that nothing is painted on them."""

from reenact.occlusion.mouth_occlusion import MouthOcclusion, load_mouth_occlusion
from reenact.occlusion.watch import OcclusionOptions, OcclusionWatch

__all__ = ["MouthOcclusion", "OcclusionOptions", "OcclusionWatch", "load_mouth_occlusion"]
