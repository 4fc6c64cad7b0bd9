"""The networks that are trained; pure modules, one family to a file."""
