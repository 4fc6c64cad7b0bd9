"""Doctor: checks whether this machine can edit films and live pictures, and how to repair what is wrong."""
