"""Training of the networks. The only package that imports torch."""
