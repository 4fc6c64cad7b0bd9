"""`python -m reenact` is the command `reenact`."""

from reenact.cli import main

if __name__ == "__main__":
    main(prog_name="reenact")
