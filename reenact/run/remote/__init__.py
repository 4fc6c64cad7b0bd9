"""Makes the new pixels of faces in another process."""
