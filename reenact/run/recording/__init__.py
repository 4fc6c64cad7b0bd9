"""Recording: live pictures, their sound and their action units, written to files while they are shown."""
