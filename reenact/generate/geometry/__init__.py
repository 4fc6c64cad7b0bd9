"""Geometry: moves the pixels of a face for a change of action units."""
