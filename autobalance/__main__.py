"""``python -m autobalance``, the same as the command ``autobalance``: a word first, which of the commands is meant."""

import sys

from autobalance.cli import main

if __name__ == "__main__":
    sys.exit(main())
