"""A function that the user names as ``package.module:function``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from autobalance.common._errors import InputError


def import_function(source: str) -> Callable[..., Any]:
    """The function that ``source`` names, looked for in the working directory too.

    Raises:
        InputError: the module cannot be imported, or has no such function.
    """
    module_name, _, function_name = source.partition(":")
    here = os.getcwd()
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError, TypeError) as error:
        raise InputError(f"the module {module_name!r} of {source} cannot be imported: {error}") from error
    finally:
        if added:
            sys.path.remove(here)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(f"the module {module_name!r} has no function {function_name!r}")
    return function
