"""One file a command, which ``python -m autobalance.NAME`` finds: this folder is on the package's path."""
