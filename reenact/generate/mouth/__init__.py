"""The inside of a mouth: what the frame shows of it, what is known of it, and how it is painted."""

from reenact.generate.mouth.inside import InsideOptions, paint_inside
from reenact.generate.mouth.memory import Expected, MouthMemory
from reenact.generate.mouth.seen import SeenMouth, on_visible_edges, see_mouth
from reenact.generate.mouth.teeth import Teeth, likely_teeth
from reenact.generate.mouth.views import Shape, View, Views

__all__ = [
    "Expected",
    "InsideOptions",
    "MouthMemory",
    "SeenMouth",
    "Shape",
    "Teeth",
    "View",
    "Views",
    "likely_teeth",
    "on_visible_edges",
    "paint_inside",
    "see_mouth",
]
