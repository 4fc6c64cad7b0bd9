"""Painters: what a moved face shows that no pixel of the input holds, such as teeth, creases and lids."""
