"""The commands of `python -m train`, one to a file."""
