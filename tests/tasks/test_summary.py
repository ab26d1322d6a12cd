"""Means over seeds against the standard library."""

import statistics

from autobalance.tasks import summarise_figures

TESTS = [
    {"error": 1.0, "gm": None, "cells": [[1.0, None], [4.0, 5.0]], "shots": {"few": {"mae": 2.0, "samples": 7}}},
    {"error": 4.0, "gm": 3.0, "cells": [[3.0, None], [6.0, 5.0]], "shots": {"few": {"mae": 4.0, "samples": 7}}},
]


def test_numbers_lists_and_tables():
    std = statistics.stdev([1.0, 3.0])
    assert summarise_figures(TESTS) == {
        "error": 2.5,
        "error_std": statistics.stdev([1.0, 4.0]),
        "error_by_seed": [1.0, 4.0],
        "gm": None,
        "gm_std": None,
        "gm_by_seed": [None, 3.0],
        "cells": [[2.0, None], [5.0, 5.0]],
        "cells_std": [[std, None], [std, 0.0]],
        "shots": {"few": {"mae": 3.0, "mae_std": std, "mae_by_seed": [2.0, 4.0], "samples": 7}},
    }


def test_one_seed_has_no_spread():
    assert summarise_figures([{"error": 1.0, "by": [2.0]}]) == {
        "error": 1.0,
        "error_std": None,
        "error_by_seed": [1.0],
        "by": [2.0],
        "by_std": [None],
    }
