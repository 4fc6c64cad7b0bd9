"""Pipeline: runs frames from a source through stages into a sink, on several cores, and measures the run."""
