"""The door of the command ``python -m autobalance.compare``: trains losses under one protocol and tables them."""

import sys

from autobalance.cli._compare import main as main

if __name__ == "__main__":
    sys.exit(main())
