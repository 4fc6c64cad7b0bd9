"""Network: models that refine regions of the moved and painted face, or repaint the whole face."""
