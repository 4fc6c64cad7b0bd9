"""Recognise: finds the person of a reference picture among the few faces in a frame."""
