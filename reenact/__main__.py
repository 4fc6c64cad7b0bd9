"""`python -m reenact` is the command `reenact`."""

import os
import sys

if __name__ == "__main__" and sys.path[0] == os.getcwd() != os.path.dirname(os.path.dirname(__file__)):
    # `python -m` looks into the current folder first, where an engines/ of the user's own would hide ours.
    del sys.path[0]

from reenact.cli import main

if __name__ == "__main__":
    main(prog_name="reenact")
