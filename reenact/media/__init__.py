"""Media: files, cameras, microphones and pictures, read and written."""
