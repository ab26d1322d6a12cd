"""The options of the search command: their names, defaults and help, and their YAML form. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from autobalance.errors import InputError

# Named here a second time because the registries need torch, which --help shall not wait for. A test compares them.
MODELS = ("linear", "mlp", "cnn", "resnet20", "resnet32", "resnet18", "resnet50")
OBJECTIVES = ("balanced_error", "error")
ENGINES = ("replay", "unrolled")
TIES = ("frequency", "class")
FREE = ("w", "l", "delta")

EXAMPLES = """\
examples:
  python -m autobalance.search                                    the embedded digits, a minute
  python -m autobalance.search --data table.csv --target label    a table
  python -m autobalance.search --data images.npz --model cnn --epochs 30 --out runs/images
  python -m autobalance.search --out runs/images --resume         go on after an interruption
  python -m autobalance.search --config runs/images/config.yaml --seed 1 --out runs/images-1
"""


@dataclass(frozen=True)
class Options:
    """What the command was asked to do; see ``python -m autobalance.search --help``."""

    data: str = "digits"
    target: str | None = None
    task: str = "classification"
    imbalance: float | None = None
    imbalance_type: str = "exp"
    validation: float | None = None
    model: str | None = None
    epochs: int = 60
    batch_size: int = 64
    lr: float = 0.1
    weight_decay: float = 5e-4
    device: str = "cpu"
    objective: str = "balanced_error"
    free: str = "w,l,delta"
    tie: str = "frequency"
    start: str = "la"
    late: str | None = None
    late_start: float | None = None
    hypergradient: str = "replay"
    unroll: int = 5
    every: int = 20
    outer_lr: float = 0.05
    warmup: float = 0.3
    seed: int = 0
    seeds: int = 3
    baselines: str = "ce,la"
    out: str | None = None

    def to_yaml(self) -> str:
        """These options as a file that ``--config`` reads; those that are unset are left out."""
        import yaml

        set_ones = {name.replace("_", "-"): value for name, value in asdict(self).items() if value is not None}
        return yaml.safe_dump(set_ones, sort_keys=False)

    def differences(self, other: Options) -> list[str]:
        """The options, other than where the run is kept, whose values differ, as ``--name theirs -> ours``."""
        return [
            f"--{field.name.replace('_', '-')} {getattr(other, field.name)} -> {getattr(self, field.name)}"
            for field in fields(self)
            if field.name != "out" and getattr(self, field.name) != getattr(other, field.name)
        ]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all errors of the command."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (--help lists the options)")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _positive_float(text: str) -> float:
    value = _float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _not_negative(text: str) -> float:
    value = _float(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^32 - 1")
    return int(text)


def _share(text: str) -> float:
    value = _float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 up to, but not including, 1")
    return value


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return value


def _names(known: Sequence[str]) -> Any:
    def parse(text: str) -> str:
        names = [name.strip() for name in text.split(",")]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return ",".join(dict.fromkeys(names))

    return parse


def make_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m autobalance.search``; every default comes from `Options`."""
    parser = _Parser(
        prog="python -m autobalance.search",
        description="Searches a training loss for imbalanced data, retrains with it, and compares it with fixed losses "
        "on the test split. Writes loss.json, result.json, report.html and more to the --out directory.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    default = Options()

    def option(group: Any, name: str, help: str, **settings: Any) -> None:
        value = getattr(default, name.replace("-", "_"))
        shown = "" if value is None else f" (default: {value})"
        group.add_argument(f"--{name}", help=(help + shown).replace("%", "%%"), **settings)

    data = parser.add_argument_group("data")
    option(data, "data", "digits, cifar10, cifar100; a .npz, .csv or .parquet file; a folder of images, one folder a "
           "class; or package.module:function", metavar="SOURCE")  # fmt: skip
    option(data, "target", "the column of a table that holds the class", metavar="COLUMN")
    option(data, "task", "what the target is", choices=("classification",))
    option(data, "imbalance", "thin the training samples out to this ratio of the largest class to the smallest; "
           "unset: 10 for digits, 100 for CIFAR, else the data as they are", type=_positive_float,
           metavar="RHO")  # fmt: skip
    option(data, "imbalance-type", "profile of the thinning", choices=("exp", "step"))
    option(data, "validation", "share of the training samples that judges the loss; unset: 0.2, or the source's own "
           "validation samples", type=_share, metavar="SHARE")  # fmt: skip

    training = parser.add_argument_group("model and training, the same for every loss")
    option(training, "model", "unset: cnn for images, mlp for tables", choices=MODELS)
    option(training, "epochs", "passes over the training samples", type=_positive, metavar="N")
    option(training, "batch-size", "samples a step", type=_positive, metavar="N")
    option(training, "lr", "largest learning rate of SGD; it falls as a cosine", type=_positive_float, metavar="RATE")
    option(training, "weight-decay", "of SGD", type=_not_negative, metavar="RATE")
    option(training, "device", "where to compute", choices=("cpu", "cuda"))

    loss = parser.add_argument_group("the loss that is searched")
    option(loss, "objective", "what the loss shall make small on validation samples", choices=OBJECTIVES)
    option(loss, "free", f"which parameters are searched, any of {','.join(FREE)}", type=_names(FREE), metavar="NAMES")
    option(loss, "tie", "frequency: each parameter follows the class frequency; class: a number for every class",
           choices=TIES)  # fmt: skip
    option(loss, "start", "the fixed loss to start from", metavar="POINT")
    option(loss, "late", "searched parameters that are switched on late in training, as LDAM-DRW's w",
           type=_names(FREE), metavar="NAMES")  # fmt: skip
    option(loss, "late-start", "share of the epochs after which they are; unset: 0.8", type=_share, metavar="SHARE")

    search = parser.add_argument_group("how it is searched")
    option(search, "hypergradient", "engine: replay is fast, unrolled is the reference", choices=ENGINES)
    option(search, "unroll", "training steps that a hypergradient looks back through", type=_positive, metavar="T")
    option(search, "every", "training steps between hypergradients", type=_positive, metavar="N")
    option(search, "outer-lr", "step of the loss's parameters", type=_positive_float, metavar="RATE")
    option(search, "warmup", "share of the epochs before the first hypergradient", type=_share, metavar="SHARE")

    run = parser.add_argument_group("the run")
    option(run, "seed", "of splits, weights and order", type=_seed, metavar="S")
    option(run, "seeds", "trainings of each loss that is compared, with seeds S, S+1, ...", type=_positive, metavar="N")
    option(run, "baselines", "fixed losses to compare with", metavar="POINTS")
    run.add_argument("--config", metavar="FILE.yaml", help="read options from a file; the command line goes first")
    option(run, "out", "directory for the results; unset: a new one under runs/", metavar="DIR")
    run.add_argument("--resume", action="store_true", help="go on with the interrupted run in --out")
    return parser


def parse(arguments: Sequence[str] | None = None) -> tuple[Options, bool]:
    """Options from a command line (and the files that it names), and whether to resume.

    Raises:
        InputError: an unknown option or a value that cannot be.
    """
    parser = make_parser()
    given = vars(parser.parse_args(arguments))
    resume, config = given.pop("resume", False), given.pop("config", None)
    if config is not None:
        given = {**_read(Path(config), parser), **given}
    if not resume:
        return Options(**given), False
    if "out" not in given:
        raise InputError("--resume needs --out with the directory of the interrupted run")
    kept = Path(given["out"]) / "config.yaml"
    if not kept.is_file():
        raise InputError(f"there is no run to resume in {given['out']}: {kept} is missing")
    before = Options(**{**_read(kept, parser), "out": given["out"]})
    asked = Options(**{**asdict(before), **given})
    if changed := asked.differences(before):
        raise InputError(f"the run in {given['out']} has other options ({'; '.join(changed)}): leave them out to "
                         "resume it, or start another with another --out")  # fmt: skip
    return asked, True


def _read(path: Path, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """A YAML file's options, checked as if they stood on the command line."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no options; it should have lines such as 'epochs: 60'")
    known = {field.name.replace("_", "-") for field in fields(Options)}
    if unknown := [str(key) for key in content if key not in known]:
        raise InputError(f"{path} has the unknown option {unknown[0]!r}; there are {', '.join(sorted(known))}")
    arguments = []
    for key, value in content.items():
        if value is None or isinstance(value, bool | dict):
            raise InputError(f"{path}: {key} is {value!r}, no text or number; leave it out, or put quotes around it")
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        arguments.append(f"--{key}={text}")
    try:
        return vars(parser.parse_args(arguments))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
