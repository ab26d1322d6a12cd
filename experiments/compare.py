"""The door of ``python -m experiments.compare``, which is ``python -m autobalance.compare`` from a clone."""

import sys

from autobalance.compare import main as main

if __name__ == "__main__":
    sys.exit(main())
