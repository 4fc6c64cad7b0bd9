"""Painters: paint what a moved face shows but no pixel of the input holds, such as teeth, creases and
lids."""
