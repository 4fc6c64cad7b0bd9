"""Media: reads and writes video files, pictures and tables, and opens cameras and microphones."""
