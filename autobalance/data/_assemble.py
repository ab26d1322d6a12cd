"""From arrays to a problem: the long tail, the validation split, standardisation, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from autobalance.common import InputError
from autobalance.data._arrays import Arrays, to_samples
from autobalance.data._long_tail import long_tail_subset
from autobalance.data._numbers import ordered_split, problem_of_numbers
from autobalance.data._samples import Problem
from autobalance.data._split import stratified_split

DEFAULT_FRACTION = 0.2


@dataclass(frozen=True)
class Options:
    """What the caller of ``load`` chose; a source that cannot honour an option refuses it.

    Args:
        target: column that holds the class or number to predict, for tables.
        text: one or two columns of texts, for tables.
        drop: columns to leave out, for tables.
        group: columns that say which group a row belongs to, for tables, see `groups_of`.
        group_as_feature: whether these columns stay among the model's inputs.
        split: column that says which part a row belongs to, for tables.
        images: folder that the paths of lists and tables of images start from.
        image_size: side of the images that are read from files.
        imbalance: makes the training samples long-tailed; None leaves it to the source.
        imbalance_type: "exp" or "step".
        validation_fraction: share of the training samples that become validation.
        seed: draws the long tail and the splits.
        task: "classification" or "regression".
        bins: for regression, how many bins the targets are sorted into; None leaves it to them.
    """

    target: str | None = None
    imbalance: float | None = None
    imbalance_type: str = "exp"
    validation_fraction: float = DEFAULT_FRACTION
    seed: int = 0
    task: str = "classification"
    bins: int | None = None
    text: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None
    group_as_feature: bool = False
    images: str | None = None
    image_size: int | None = None

    @property
    def regression(self) -> bool:
        return self.task == "regression"

    def refuse_columns(self, source: str) -> None:
        for name in ("target", "text", "drop", "split", "group"):
            if value := getattr(self, name):
                value = value if isinstance(value, str) else ",".join(value)
                raise InputError(f"--{name} {value} has no effect on {source}: leave it out, it names a table's column")
        self.refuse_group_as_feature()

    def refuse_group_as_feature(self) -> None:
        if self.group_as_feature and self.group is None:
            raise InputError("--group-as-feature has no effect without --group, which names columns of a table")

    def refuse_images(self, source: str) -> None:
        if self.images is not None:
            raise InputError(
                f"--images {self.images} has no effect on {source}: leave it out, it is for lists of images"
            )

    def refuse_files(self, source: str) -> None:
        self.refuse_images(source)
        if self.image_size is not None:
            raise InputError(f"--image-size {self.image_size} has no effect on {source}: it is for images in files")

    def refuse_imbalance(self, source: str, why: str) -> None:
        if self.imbalance is not None or self.imbalance_type != "exp":
            raise InputError(f"--imbalance has no effect on {source}: {why}")

    def refuse_fraction(self, source: str) -> None:
        if self.validation_fraction != DEFAULT_FRACTION:
            raise InputError(f"a validation fraction has no effect on {source}: it brings its own validation samples")


def assemble(
    name: str,
    train: Arrays,
    test: Arrays,
    options: Options,
    *,
    validation: Arrays | None = None,
    class_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    make_model: Callable[[], nn.Module] | None = None,
    standardise: bool = True,
) -> Problem:
    """Make the training samples long-tailed where asked, split off validation where none is given, standardise.

    Args:
        name: what the tables call the problem.
        train: checked training samples, or training and validation together.
        test: checked test samples.
        options: imbalance, validation fraction, seed, task and bins; the rest is not looked at.
        validation: checked validation samples where the source has some.
        class_names: K names; by default the numbers 0..K-1.
        group_names: G names; by default the numbers 0..G-1, where there are groups.
        make_model: builds the model that the source brings along.
        standardise: False leaves float inputs as they are.
    """
    generator = np.random.default_rng(options.seed)
    own_validation = validation is not None
    if options.regression:
        options.refuse_imbalance(name, "the targets of a regression have their own density")
        if validation is None:
            rest, taken = ordered_split(train.y, options.validation_fraction, generator)
            train, validation = train.subset(rest), train.subset(taken)
        else:
            options.refuse_fraction(name)
        samples = to_samples([train, validation, test], standardise=standardise)
        return problem_of_numbers(name, samples, options.bins, make_model, own_validation)
    num_classes = int(train.y.max()) + 1
    names = tuple(str(k) for k in range(num_classes)) if class_names is None else tuple(class_names)
    groups = _group_names(train, group_names)
    if options.imbalance is not None:
        train = train.subset(long_tail_subset(train.y, options.imbalance, options.imbalance_type, generator))
    elif options.imbalance_type != "exp":
        raise InputError(f"--imbalance-type {options.imbalance_type} has no effect without --imbalance")
    if validation is None:
        rest, taken = stratified_split(
            train.y, options.validation_fraction, generator, group=train.group, class_names=names, group_names=groups
        )
        train, validation = train.subset(rest), train.subset(taken)
    else:
        options.refuse_fraction(name)
    samples = to_samples([train, validation, test], standardise=standardise)
    more: dict[str, Any] = {"own_validation": own_validation, "group_names": groups}
    return Problem(name, samples[0], samples[1], samples[2], names, make_model, **more)


def _group_names(train: Arrays, names: Sequence[str] | None) -> tuple[str, ...] | None:
    if train.group is None:
        return None
    return tuple(str(g) for g in range(int(train.group.max()) + 1)) if names is None else tuple(names)
