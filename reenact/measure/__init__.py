"""Measure: the action units that each tracked face shows, in one frame and over a whole file."""
