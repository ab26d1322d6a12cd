"""The door of the command ``python -m autobalance.predict``: predicts with the model that a search has kept."""

import sys

from autobalance.cli._predict import main as main

if __name__ == "__main__":
    sys.exit(main())
