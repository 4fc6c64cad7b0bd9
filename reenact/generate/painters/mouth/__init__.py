"""Mouth: what a frame shows between the lips, what is known of a person's teeth, and how both are painted."""

from reenact.generate.painters.mouth.mouth_inside import InsideOptions, paint_inside
from reenact.generate.painters.mouth.mouth_memory import ExpectedViews, MouthMemory
from reenact.generate.painters.mouth.mouth_teeth import Teeth, likely_teeth
from reenact.generate.painters.mouth.mouth_views import MouthShape, MouthView, MouthViews
from reenact.generate.painters.mouth.seen_mouth import SeenMouth, on_visible_edges, see_mouth

__all__ = [
    "ExpectedViews",
    "InsideOptions",
    "MouthMemory",
    "MouthShape",
    "MouthView",
    "MouthViews",
    "SeenMouth",
    "Teeth",
    "likely_teeth",
    "on_visible_edges",
    "paint_inside",
    "see_mouth",
]
