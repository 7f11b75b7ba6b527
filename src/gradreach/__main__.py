"""`python -m gradreach`."""

import sys

from gradreach.cli import main

if __name__ == "__main__":
    sys.exit(main())
