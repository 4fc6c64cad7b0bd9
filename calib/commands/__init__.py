"""Commands of `python -m calib`, one module each."""
