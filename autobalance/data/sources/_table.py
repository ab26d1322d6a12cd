"""Tables in .csv, .tsv or .parquet files, one column of which is the class or the number to predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from autobalance.common import InputError
from autobalance.data._options import DataOptions
from autobalance.data._parts import check_varied
from autobalance.data._problem import Problem
from autobalance.data._samples import Samples
from autobalance.data._source import Source
from autobalance.data._split import Index, divide, three_parts
from autobalance.data.encoders import TableEncoder
from autobalance.data.sources._labelled import Labelled, open_labelled
from autobalance.data.sources._read_table import is_table

#: A regression needs so many rows: a fifth of a fifth of fewer says nothing.
FEWEST = 50


def load_table(source: str, options: DataOptions) -> Problem:
    """Read a table; where it has no parts, split off a fifth for test, then ``validation_share`` of the rest, by the
    seed, stratified by class and group, or along the whole range of numbers.

    The classes are the values of the target column, sorted. Of the other columns those in ``options.text`` become
    vectors as `TextEncoder` does it, the rest as `TableEncoder` does, each as what its values are or as what
    ``options.columns`` says; both are fitted on the training split.

    With ``options.group`` every part has samples of each class in each group, and the columns that the groups come from
    are hidden from the model unless ``options.group_as_feature``.
    """
    path = Path(source)
    table = open_labelled(path, options)
    rows = len(table.targets)
    if options.regression and rows < FEWEST and not table.rows.given:
        raise InputError(f"{path} has {rows} rows, too few to split in three: a regression needs {FEWEST}")
    return problem_of_rows(table, options)


def problem_of_rows(table: Labelled, options: DataOptions) -> Problem:
    """The problem whose inputs are the columns of a table, beside the target and the hidden columns of groups.

    Raises:
        InputError: no such column, one that cannot be encoded, too few rows of a class, constant training targets.
    """
    rows, targets, generator = table.rows, table.targets, np.random.default_rng(options.seed)

    def draw(among: Index, share: float, leave: int) -> tuple[Index, Index]:
        cells = {"group": table.group(among), "class_names": table.class_names, "group_names": table.group_names}
        first, second = divide(targets[among], share, generator, leave=leave, **cells)
        return among[first], among[second]

    positions = three_parts(len(targets), rows.given, options.validation_share, draw)
    hidden = () if table.groups is None or options.group_as_feature else table.groups.columns
    if text := set(options.text) & set(hidden):
        raise InputError(f"column {min(text)!r} cannot be both in `text` and hidden as `group`: add `group_as_feature`")
    if options.regression:
        check_varied(targets[positions[0]], f"the target {options.target!r} of the training rows")
    others = [options.target, *hidden] if options.target else []
    inputs = rows.frame.drop(columns=others)
    if inputs.shape[1] == 0:
        hid = "".join(f" and {column}" for column in hidden)
        raise InputError(f"{rows.name} has no column beside the target {options.target!r}{hid}")
    encoder = TableEncoder.fit(inputs, options.text, positions[0], options.columns)
    encoder = replace(encoder, missing=options.na_values)
    x, y = encoder.encode(inputs), torch.tensor(targets)
    y = y.float() if y.is_floating_point() else y
    group = None if table.groups is None else torch.from_numpy(table.groups.of_row)
    samples = [Samples(x, y, group).subset(torch.from_numpy(index)) for index in positions]
    problem = Problem(
        rows.name,
        samples[0],
        samples[1],
        samples[2],
        class_names=table.class_names or (),
        own_validation=rows.own_validation,
        group_names=table.group_names,
        encoder=encoder,
    )
    return problem.binned(options.bins) if options.regression else problem


TABLE = Source(
    "table",
    "a .csv, .tsv or .parquet file, or a folder of them, one a part",
    load_table,
    frozenset({"target", "text", "drop", "columns", "na_values", "split", "group", "group_as_feature"}),
    matches=lambda source, _: is_table(source),
)
