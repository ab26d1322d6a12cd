"""What the commands share: options of data, model and training, their YAML form, and how they are read.

Imports no torch, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from autobalance.cli._option_values import (
    milestones,
    names,
    not_negative,
    positive,
    positive_float,
    share,
    texts,
    two_counts,
    whole,
    workers,
)
from autobalance.common import InputError, nearest, read_yaml

# Named here a second time because the registry needs torch. A test compares them.
MODELS = ("linear", "mlp", "cnn", "resnet20", "resnet32", "resnet18", "resnet50")
OPTIMIZERS = ("sgd", "adam", "adamw")


def shown(value: Any) -> str:
    """A value as it stands on the command line; of names in a list as `names` reads them."""
    if not isinstance(value, tuple):
        return str(value)
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(value)
    return text.getvalue()


@dataclass(frozen=True)
class RunOptions:
    """Where the results of a command are kept, and which of its options decide them."""

    #: Options that do not change the results: a run can be resumed with others.
    PLACES: ClassVar[frozenset[str]] = frozenset({"out", "yes"})

    out: str | None = None

    @property
    def subject(self) -> str:
        """What a new directory is named after."""
        return "results"

    def to_yaml(self) -> str:
        """These options as a file that ``--config`` reads; those that are unset are left out."""
        import yaml

        set_ones = {name.replace("_", "-"): value for name, value in asdict(self).items() if value is not None}
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in set_ones.items()}
        return yaml.safe_dump(lists, sort_keys=False, default_flow_style=None)

    def identity(self) -> dict[str, Any]:
        """The options that decide the results."""
        return {name: value for name, value in asdict(self).items() if name not in self.PLACES}

    def differences(self, other: Self) -> list[str]:
        """The options whose values differ, `PLACES` aside, as ``--name theirs -> ours``."""
        theirs = other.identity()
        return [
            f"--{name.replace('_', '-')} {shown(theirs[name])} -> {shown(ours)}"
            for name, ours in self.identity().items()
            if ours != theirs[name]
        ]


@dataclass(frozen=True)
class ProblemOptions(RunOptions):
    """The data, the model and its training, and where to compute."""

    data: str = "digits"
    target: str | None = None
    text: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None
    columns: str | None = None
    na_values: tuple[str, ...] | None = None
    split: str | None = None
    images: str | None = None
    image_size: int | None = None
    skip_unreadable: bool = False
    task: str = "classification"
    bins: int | None = None
    shots: tuple[int, int] | None = None
    imbalance: float | None = None
    imbalance_type: str = "exp"
    ground: str | None = None
    ground_ratio: float = 10.0
    validation: float | None = None
    model: str | None = None
    backbone: str | None = None
    weights: str | None = None
    features_only: bool = False
    epochs: int = 60
    batch_size: int = 64
    lr: float | None = None
    weight_decay: float | None = None
    optimizer: str = "sgd"
    momentum: float | None = None
    clip: float | None = None
    schedule: str = "cosine"
    milestones: tuple[float, ...] | None = None
    lr_decay: float | None = None
    warmup_epochs: int | None = None
    plain_momentum: bool = False
    augment: str = "none"
    precision: str = "float32"
    compiled: bool = False
    device: str = "cpu"
    seed: int = 0
    seeds: int = 3
    yes: bool = False

    @property
    def subject(self) -> str:
        name = re.sub(r"\.(npz|parquet|[ct]sv(\.gz)?)$", "", Path(self.data.rstrip("/")).name)
        return name.replace(":", "-")


@dataclass(frozen=True)
class GroupOptions(ProblemOptions):
    """The options of commands that know what to do with groups."""

    group: tuple[str, ...] | None = None
    group_as_feature: bool = False


AnyOptions = TypeVar("AnyOptions", bound=RunOptions)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all errors of the command."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        hint = "" if unknown == message else self._meant(unknown.split()[0])
        if choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            hint = nearest(choice[1], re.findall(r"[^', ]+", choice[2]))
        raise InputError(f"{message}{hint} (--help lists the options)")

    def _meant(self, unknown: str) -> str:
        """What the user may have meant by an argument that is not an option."""
        if not unknown.startswith("-") and "--data" in self._option_string_actions:
            return f"; give the data with --data {unknown}"
        close = difflib.get_close_matches(unknown.partition("=")[0], self._option_string_actions, 1, 0.75)
        return f"; do you mean {close[0]}?" if close else ""


def adder(default: RunOptions) -> Callable[..., None]:
    """``add(group, name, help, **settings)``, which adds an option and says its default in its help."""

    def add(group: Any, name: str, help: str, **settings: Any) -> None:
        value = getattr(default, name.replace("-", "_"))
        said = "" if value is None or value is False else f" (default: {shown(value)})"
        group.add_argument(f"--{name}", help=(help + said).replace("%", "%%"), **settings)

    return add


def add_problem_options(
    parser: argparse.ArgumentParser, default: ProblemOptions, tasks: Sequence[str] = ("classification",)
) -> None:
    """Adds the groups "data" and "model and training"; every default comes from ``default``.

    Args:
        parser: gets the options.
        default: what is said of each.
        tasks: what the command can do.
    """
    option = adder(default)
    data = parser.add_argument_group("data")
    option(data, "data", "digits, digits-groups, cifar10, cifar100; a .npz, .csv, .tsv or .parquet file, or a folder "
           "of tables, one a part; a folder of images, one folder a class, or of lists of images; or "
           "package.module:function",
           metavar="SOURCE")  # fmt: skip
    option(data, "target", "the column of a table that holds the class, or the number to predict", metavar="COLUMN")
    option(data, "text", "a column of a table that holds free text, or two columns whose texts are to be compared",
           type=names, metavar="COLUMN[,COLUMN]")  # fmt: skip
    option(data, "drop", "columns of a table to leave out", type=names, metavar="COLUMNS")
    option(data, "columns", "how columns of a table are read where their values do not say it right: lines such as "
           "'postcode: category'; number, date, category, text or drop", metavar="FILE.yaml")  # fmt: skip
    option(data, "na-values", "the texts in a table that stand for a missing value, such as '?,-'; '\"\"' is an empty "
           "one, and '' says that there are none; unset: pandas' own, among them an empty one, NA, None and null, none "
           "of which can then be a class", type=texts, metavar="TEXTS")  # fmt: skip
    option(data, "split", "the column of a table that says which rows are for train, val and test", metavar="COLUMN")
    option(data, "images", "the folder that the paths in lists of images start from; with it a table is such a list, "
           "in its column 'path'", metavar="FOLDER")  # fmt: skip
    option(data, "image-size", "side in pixels of images in files; unset: 32 for folders, 64 for Tiny ImageNet, 224 "
           "for lists", type=positive, metavar="N")  # fmt: skip
    option(data, "skip-unreadable", "go on without images in files that cannot be read, which are named",
           action="store_true")  # fmt: skip
    option(data, "task", "what the target is: a class or a number", choices=tasks)
    option(data, "bins", "regression: bins of equal width for the target; unset: one for each whole number, or the "
           "square root of the number of samples", type=positive, metavar="K")  # fmt: skip
    option(data, "shots", "a class, cell or bin is many-shot above the first number of training samples and few-shot "
           "below the second; unset: 100,20", type=two_counts, metavar="MANY,FEW")  # fmt: skip
    option(data, "imbalance", "thin the training samples out to this ratio of the largest class to the smallest; "
           "unset: 10 for digits, 100 for CIFAR, else the data as they are", type=positive_float,
           metavar="RHO")  # fmt: skip
    option(data, "imbalance-type", "profile of the thinning", choices=("exp", "step"))
    option(data, "ground", "put images on grounds that mostly tell the class in training and never in the test: "
           "negative, or a frame or colour with the number of grounds behind it; the grounds are the groups",
           metavar="KIND[:G]")  # fmt: skip
    option(data, "ground-ratio", "training images on their class's own ground for each one on another",
           type=positive_float, metavar="RHO")  # fmt: skip
    option(data, "validation", "share of the training samples that judges the loss; unset: 0.2, or the source's own "
           "validation samples", type=share, metavar="SHARE")  # fmt: skip

    training = parser.add_argument_group("model and training, the same for every loss")
    option(training, "model", "unset: cnn for images, mlp for tables", choices=MODELS)
    option(training, "backbone", "for images in files: a classifier of torchvision that was trained on ImageNet, such "
           "as resnet50 or convnext_tiny, to fine-tune", metavar="NAME")  # fmt: skip
    option(training, "weights", "the file of the backbone's weights, a state_dict; unset: those that torchvision "
           "publishes, from its cache or the network", metavar="FILE.pth")  # fmt: skip
    option(training, "features-only", "train one linear layer on the features of the backbone, or of the trained model "
           "that the data source returns: a search in seconds", action="store_true")  # fmt: skip
    option(training, "epochs", "passes over the training samples", type=positive, metavar="N")
    option(training, "batch-size", "samples a step", type=positive, metavar="N")
    option(training, "optimizer", "stochastic gradient descent, Adam, or Adam with decoupled weight decay",
           choices=OPTIMIZERS)  # fmt: skip
    option(
        training,
        "lr",
        "largest learning rate; unset: 0.1 for sgd (in a regression 0.02), 0.001 for adam and adamw",
        type=positive_float,
        metavar="RATE",
    )
    option(training, "weight-decay", "unset: 5e-4 for sgd and adam, 0.01 for adamw", type=not_negative, metavar="RATE")
    option(training, "momentum", "of sgd; unset: 0.9", type=share, metavar="SHARE")
    option(training, "clip", "scale each step's gradient down to this norm where it is larger", type=positive_float,
           metavar="NORM")  # fmt: skip
    option(training, "schedule", "of the learning rate: a cosine to zero, or steps down", choices=("cosine", "steps"))
    option(training, "milestones", "with --schedule steps: when the learning rate is lowered, as shares of the epochs "
           "or as epochs; unset: 0.8,0.9", type=milestones, metavar="TIMES")  # fmt: skip
    option(training, "lr-decay", "with --schedule steps: the factor that it is lowered by; unset: 0.1", type=share,
           metavar="FACTOR")  # fmt: skip
    option(training, "warmup-epochs", "epochs in which the learning rate rises to its largest; unset: 3",
           type=whole, metavar="N")  # fmt: skip
    option(training, "plain-momentum", "sgd without Nesterov's look-ahead, as most published recipes have it",
           action="store_true")  # fmt: skip
    option(training, "augment", "of the training images: crop-flip shifts and mirrors small ones, resized-crop takes a "
           "random part of large ones", choices=("none", "crop-flip", "resized-crop"))  # fmt: skip
    option(training, "precision", "of the training steps; hypergradients are float32 all the same",
           choices=("float32", "bfloat16"))  # fmt: skip
    option(training, "compiled", "run the training steps through torch.compile: worth it for long trainings; on a CPU "
           "it needs a C++ compiler", action="store_true")  # fmt: skip
    option(training, "device", "the device to compute on", choices=("cpu", "cuda"))
    option(training, "yes", "start a run that will take more than a week, too, without a question", action="store_true")


def add_group_options(parser: argparse.ArgumentParser, default: GroupOptions) -> None:
    """Adds the group "groups"; every default comes from ``default``."""
    option, groups = adder(default), parser.add_argument_group("groups (sensitive attributes, backgrounds)")
    option(groups, "group", "the column of a table that holds each row's group; numbers need cuts, such as age:25; "
           "several columns, separated by commas, are combined; put a name that has a comma in double quotes. Other "
           "sources have their own groups", type=names, metavar="COLUMNS")  # fmt: skip
    option(groups, "group-as-feature", "let the model see the columns of --group, which are otherwise hidden from it",
           action="store_true")  # fmt: skip


def add_run_options(group: Any, default: RunOptions) -> None:
    """Adds ``--out``, which `run_directory` reads, and ``--config`` and ``--resume``, which `read_options` reads."""
    unset = "; unset: a new one under runs/" if default.out is None else ""
    adder(default)(group, "out", f"directory for the results{unset}", metavar="DIR")
    group.add_argument(
        "--config", metavar="FILE.yaml", help="read options from a file; those on the command line override it"
    )
    group.add_argument("--resume", action="store_true", help="continue the interrupted run in --out")


def add_work_options(group: Any, default: RunOptions) -> None:
    """Adds ``--workers`` and ``--cluster``: who does the work of a study."""
    option = adder(default)
    option(group, "workers", "processes that share the work", type=workers, metavar="N")
    option(group, "cluster", "the scheduler of a Dask cluster whose workers share the work, such as tcp://host:8786; "
           "it needs the extra autobalance[cluster]", metavar="ADDRESS")  # fmt: skip


def read_options(
    kind: type[AnyOptions], parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[AnyOptions, bool]:
    """Options from a command line (and the files that it names), and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be.
    """
    given = vars(parser.parse_args(arguments))
    resume, config = given.pop("resume", False), given.pop("config", None)
    if config is not None:
        given = {**_read(Path(config), kind, parser), **given}
    if not resume:
        return kind(**given), False
    if "out" not in given:
        raise InputError("--resume needs --out with the directory of the interrupted run")
    kept = Path(given["out"]) / "config.yaml"
    if not kept.is_file():
        raise InputError(f"there is no run to resume in {given['out']}: {kept} is missing")
    before = kind(**{**_read(kept, kind, parser, unset=True), "out": given["out"]})
    asked = kind(**{**asdict(before), **given})
    if changed := asked.differences(before):
        raise InputError(f"the run in {given['out']} was started with other options ({'; '.join(changed)}): leave them "
                         "out to resume it, or give another --out to start a new run")  # fmt: skip
    return asked, True


def _read(path: Path, kind: type[RunOptions], parser: argparse.ArgumentParser, unset: bool = False) -> dict[str, Any]:
    """A YAML file's options, checked as if they were on the command line.

    ``unset``: options without a value, which early versions of the suite wrote, are left unset and not refused.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no options; it should have lines such as 'epochs: 60'")
    return checked_values(content, kind, parser, str(path), unset)


def checked_values(
    content: Mapping[str, Any], kind: type[RunOptions], parser: argparse.ArgumentParser, path: str, unset: bool = False
) -> dict[str, Any]:
    """The values of options given by name, checked as if they were on the command line.

    Args:
        content: texts, numbers, lists of names, and whether a flag is set.
        kind: of the options.
        parser: of their command.
        path: where they come from, for messages.
        unset: whether options without a value are left unset and not refused.
    """
    known = {field.name.replace("_", "-") for field in fields(kind)}
    if unknown := [str(key) for key in content if key not in known]:
        raise InputError(
            f"{path} has the unknown option {unknown[0]!r}; there are {', '.join(sorted(known))}"
            f"{nearest(unknown[0], known)}"
        )
    flags = {action.dest for action in parser._actions if action.nargs in (0, "?")}
    arguments = []
    for key, value in content.items():
        if value is None and unset:
            continue
        if isinstance(value, bool) and key.replace("-", "_") in flags:
            arguments += [f"--{key}"] if value else []
            continue
        if value is None or isinstance(value, bool | dict):
            raise InputError(f"{path}: {key} is {value!r}, no text or number; leave it out, or put quotes around it")
        text = shown(tuple(value)) if isinstance(value, list) else str(value)
        arguments.append(f"--{key}={text}")
    try:
        return vars(parser.parse_args(arguments))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
