"""Figures: drawings, charts and contact sheets of faces and action units."""
