"""Kinds of training: which networks, which examples, which losses."""
