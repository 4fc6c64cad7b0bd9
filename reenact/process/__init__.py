"""Process: settings of the whole process that a run changes and then restores."""
