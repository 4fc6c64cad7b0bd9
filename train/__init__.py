"""Training of the appearance network. The only package that imports torch."""
