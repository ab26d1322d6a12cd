"""The package's messages in the words of the command line."""

from __future__ import annotations

import re


def flagged(message: str) -> str:
    """The message with each Python field in backticks, `` `weight_decay` ``, as its option, ``--weight-decay``."""
    return re.sub(r"`([a-z][a-z_]*)`", lambda match: "--" + match[1].replace("_", "-"), message)
