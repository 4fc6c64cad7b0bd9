"""Generate: new pixels for faces whose action units are to change: geometry, painters, regional networks."""

from reenact.generate.generator import GENERATORS, READY, FaceGenerator, Generator, MovedFace, open_generator

__all__ = ["GENERATORS", "READY", "FaceGenerator", "Generator", "MovedFace", "open_generator"]
