"""Which source is meant, what it understands, that one can be added, and that the package stays light until one is
opened."""

import json

import numpy as np
import pytest
import torch
from fresh import printed

from autobalance.common import InputError
from autobalance.data import (
    Arrays,
    DataOptions,
    Found,
    Problem,
    Samples,
    Source,
    assemble,
    known_sources,
    load,
    register_source,
    unregister_source,
)
from autobalance.search import main


def test_named_sources(capsys):
    named = {source.name for source in known_sources() if source.matches is None}
    assert named == {"digits", "digits-groups", "cifar10", "cifar100", "diabetes"}
    with pytest.raises(SystemExit):
        main(["--help"])
    words = capsys.readouterr().out
    assert all(name in words for name in named)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cifar", r"'cifar' is unknown: give digits, digits-groups, cifar10.*\.npz.*package.module:function"),
        ("absent.npz", "there is no file absent.npz"),
        ("absent.csv.gz", r"there is no file absent.csv.gz"),
        ("absent.parquet", "there is no file absent.parquet"),
    ],
)
def test_sources_that_are_not_there(source, message):
    with pytest.raises(InputError, match=message):
        load(source, DataOptions(target="y") if "npz" not in source else None)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digits", {"target": "y"}, "`target` y has no effect on digits: leave it out, it names the column of a table"),
        ("digits", {"text": ["a", "b"]}, "`text` a,b has no effect on digits"),
        ("digits-groups", {"imbalance_type": "step"}, "`imbalance_type` step has no effect on digits-groups"),
        ("mine.csv", {"imbalance": 10.0}, "`imbalance` 10 has no effect on mine.csv"),
        ("mine.csv", {"image_size": 32}, "`image_size` 32 has no effect on mine.csv: .* images in files"),
        ("mine.csv", {"images": ".", "drop": ["a"]}, "`drop` a has no effect on mine.csv"),
        ("mine:function", {"imbalance": 2}, "`imbalance` 2 has no effect on mine:function"),
    ],
)
def test_options_that_a_source_does_not_understand(source, options, message):
    with pytest.raises(InputError, match=message):
        load(source, DataOptions(**options))


def make_stripes(source, options):
    """Two classes apart in their first feature."""
    generator = np.random.default_rng(0)

    def arrays(n):
        y = (np.arange(n) % 4 == 0).astype(np.int64)
        return Arrays(np.stack([y + 0.3 * generator.normal(size=n), generator.normal(size=n)], axis=1), y)

    return assemble(Found(source, arrays(80), arrays(40), class_names=("many", "few")), options)


@pytest.fixture
def stripes():
    source = Source("stripes", "stripes, made up", make_stripes, tasks=("classification",))
    register_source(source)
    yield source
    unregister_source("stripes")


def test_a_source_from_outside_the_package(stripes):
    assert known_sources()[0] is stripes
    assert load("stripes", DataOptions(validation=0.25)).class_names == ("many", "few")
    with pytest.raises(InputError, match="`target` y has no effect on stripes"):
        load("stripes", DataOptions(target="y"))
    with pytest.raises(InputError, match="stripes has classes as targets, not numbers: leave `task` regression out"):
        load("stripes", DataOptions(task="regression"))
    with pytest.raises(InputError, match="there is a data source 'stripes' already"):
        register_source(stripes)
    unregister_source("stripes")
    with pytest.raises(InputError, match="the data source 'stripes' is unknown"):
        load("stripes")


def test_the_command_knows_it_too(stripes, tmp_path, capsys):
    out = tmp_path / "run"
    few = ["--epochs", "2", "--seeds", "1", "--confidence", "0", "--baselines", "ce"]
    options = ["--data", "stripes", "--model", "linear", "--every", "2", "--unroll", "1"]
    assert main([*options, *few, "--out", str(out)]) == 0
    assert json.loads((out / "result.json").read_text())["class_counts"] == [60, 20]
    assert main(["--data", "stripes", "--image-size", "8", "--out", str(tmp_path / "other")]) == 2
    assert "error: --image-size 8 has no effect on stripes: leave it out" in capsys.readouterr().err


def test_kinds_from_outside_are_asked_first():
    kind = Source("odd", "a .odd file", make_stripes, matches=lambda source, options: source.endswith(".odd"))
    register_source(kind)
    try:
        assert load("C:mine.odd").num_classes == 2
    finally:
        unregister_source("odd")


def test_validation_samples_of_a_source_leave_no_share_to_choose():
    part = Samples(torch.rand(8, 2), torch.arange(8) % 2)
    given = Problem("given", part, part, part, ("a", "b"), own_validation=True)
    source = Source("given", "given", lambda source, options: given)
    assert source.open("given", DataOptions()) is given
    with pytest.raises(InputError, match=r"`validation` 0.2 has no effect on given: .* validation samples already"):
        source.open("given", DataOptions(validation=0.2))


def test_a_source_cannot_understand_what_nobody_can_say():
    with pytest.raises(InputError, match="unknown options: colour"):
        Source("odd", "odd", make_stripes, frozenset({"colour"}))


def test_importing_the_room_does_not_import_what_only_some_sources_need():
    code = "import sys, autobalance.data, autobalance.models; print(*sys.modules)"
    modules = printed(code).split()
    assert "autobalance.data" in modules
    assert not {"pandas", "sklearn", "torchvision", "pyarrow", "PIL"} & set(modules)
