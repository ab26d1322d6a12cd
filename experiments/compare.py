"""The door of ``python -m experiments.compare``, which is ``python -m autobalance.compare`` from a clone."""

import sys
from importlib import import_module

main = import_module("autobalance.compare").main

if __name__ == "__main__":
    sys.exit(main())
