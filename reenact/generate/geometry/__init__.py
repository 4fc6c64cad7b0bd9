"""Geometry: where each pixel of a face moves for a change of action units."""
