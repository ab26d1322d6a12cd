"""A function that the user names as ``package.module:function``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from autobalance.common._errors import InputError
from autobalance.common._foreign import ForeignError, described
from autobalance.common._nearest import nearest


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
    except (Exception, SystemExit) as error:  # whatever a module of the user's own may raise
        raise ForeignError(f"the module {module_name!r} of {source} cannot be imported: {described(error)}") from error
    finally:
        if added:
            sys.path.remove(here)
    function = getattr(module, function_name, None)
    if not callable(function):
        there = [name for name in dir(module) if callable(getattr(module, name))]
        raise InputError(f"the module {module_name!r} has no function {function_name!r}{nearest(function_name, there)}")
    return function
