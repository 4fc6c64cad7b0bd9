"""Process: settings of the whole process that a run changes, and restores when it ends."""
