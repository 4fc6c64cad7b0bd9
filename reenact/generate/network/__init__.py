"""Network: models that refine a region of the moved and painted face, or make the whole face."""
