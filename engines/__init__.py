"""One file per inference runtime, behind the Engine protocol."""
