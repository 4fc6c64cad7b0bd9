"""Verify: what was asked of every face, against what is read in the output."""
