"""Painters: paint what a moved face shows but the input does not, such as teeth, creases and lids."""
