"""Verify: compares what was asked of every face with what is measured in the output."""
