"""Doctor: what this machine has and lacks for a run, and what to install."""
