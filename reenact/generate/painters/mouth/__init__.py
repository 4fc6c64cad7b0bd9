"""The inside of a mouth: what the frame shows of it, what is known of it, and how it is painted."""

from reenact.generate.painters.mouth.inside import InsideOptions, paint_inside
from reenact.generate.painters.mouth.memory import Expected, MouthMemory
from reenact.generate.painters.mouth.seen import SeenMouth, on_visible_edges, see_mouth
from reenact.generate.painters.mouth.teeth import Teeth, likely_teeth
from reenact.generate.painters.mouth.views import Shape, View, Views

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
