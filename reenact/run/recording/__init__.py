"""Recording: writes live frames, their sound and their action units to files."""
