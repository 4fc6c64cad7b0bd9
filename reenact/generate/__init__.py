"""Generate: makes new pixels for faces whose action units change, by geometry, painters and networks."""

from reenact.generate.generator import GENERATORS, READY, FaceGenerator, Generator, MovedFace, open_generator

__all__ = ["GENERATORS", "READY", "FaceGenerator", "Generator", "MovedFace", "open_generator"]
