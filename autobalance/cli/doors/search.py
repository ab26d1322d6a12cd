"""The door of the command ``python -m autobalance.search``: searches a loss and reports what it brings."""

import sys

from autobalance.cli._search import main as main

if __name__ == "__main__":
    sys.exit(main())
