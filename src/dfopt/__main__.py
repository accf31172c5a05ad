"""`python -m dfopt` is `dfopt`."""

import sys

from dfopt.cli import main

if __name__ == "__main__":
    sys.exit(main())
