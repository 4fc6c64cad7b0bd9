"""OpenFace action units: their table, how faces move with them, and how to read them. numpy and cv2 only."""
