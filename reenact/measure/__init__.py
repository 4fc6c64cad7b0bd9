"""Measure: which action units each tracked face shows, now and over a whole file."""
