"""The options of the search command: names, YAML, what goes first, what is refused."""

import shlex
import subprocess
import sys
from dataclasses import asdict, fields

import pytest
import yaml

from autobalance.cli import _config as config
from autobalance.cli import _options as _options
from autobalance.cli._command import command_line
from autobalance.cli._config import EXAMPLES, Options, make_parser, parse
from autobalance.common import InputError


def refused(*arguments):
    """The message for a command line; it is one line."""
    with pytest.raises(InputError) as caught:
        parse(arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_names_that_are_written_twice_are_those_of_the_registries():
    from autobalance import hypergradients, models
    from autobalance.bilevel import space
    from autobalance.data import augmentation
    from autobalance.tasks.metrics import families
    from autobalance.tasks.objectives import objective_names

    assert models.model_names() == _options.MODELS
    assert objective_names() == (*config.OBJECTIVES, *config.GROUP_OBJECTIVES)
    assert tuple(family.usage for family in families().values()) == config.OBJECTIVES_WITH_ARGUMENTS
    assert tuple(hypergradients.ENGINES) == config.ENGINES
    assert tuple(space.TIES) == config.TIES
    assert space.OF_LOSS == config.FREE
    assert tuple(hypergradients.RECIPE_PARAMETERS) == config.RATES
    assert (*config.FREE, *config.RATES, config.AUGMENT, config.STRENGTH) == space.FREE
    assert tuple(space.AUGMENT_TIES) == config.AUGMENT_TIES
    assert tuple({name: 0 for known in augmentation.OPERATIONS.values() for name in known}) == config.OPERATIONS


def test_defaults_are_those_of_the_python_interface():
    from autobalance.bilevel import OuterLoop
    from autobalance.hypergradients import Implicit, OneStep, Replay
    from autobalance.training import Recipe

    options, recipe, outer = Options(), Recipe(), OuterLoop()
    assert (options.epochs, options.batch_size) == (recipe.epochs, recipe.batch_size)
    assert options.lr is options.weight_decay is None
    assert (options.warmup, options.outer_lr) == (outer.warmup, outer.lr)
    text = " ".join(make_parser().format_help().split())
    assert f"unset: {Replay().steps}, with implicit {Implicit().steps}" in text
    assert f"unset: {Replay.abilities.every}, with one-step {OneStep.abilities.every}" in text


def test_lists_of_names_may_have_spaces():
    assert parse(["--baselines", "ce, la ,ce"])[0].baselines == ("ce", "la")
    assert "empty name" in refused("--baselines", "ce,,la")


def test_no_arguments_are_the_defaults():
    assert parse([]) == (Options(), False)


def test_every_option_has_help_that_says_its_default_and_reaches_the_options():
    text = make_parser().format_help()
    for field in fields(Options):
        assert f"--{field.name.replace('_', '-')}" in text
        if field.default is not None and field.default is not False:
            assert f"(default: {field.default})" in " ".join(text.split()), field.name
    assert parse(["--lr", "0.3", "--free", " l, w,l", "--seed", "7", "--unroll=2"])[0] == Options(
        lr=0.3, free=("l", "w"), seed=7, unroll=2
    )


@pytest.mark.parametrize("line", [line for line in EXAMPLES.splitlines() if "python" in line])
def test_the_examples_of_the_help_parse(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "images").mkdir(parents=True)
    (tmp_path / "runs" / "images" / "config.yaml").write_text(Options(data="images.npz", epochs=7).to_yaml())
    module, *arguments = shlex.split(line.split("  ")[1])[2:]
    assert module == "autobalance.search"
    options, resume = parse(arguments)
    assert resume == ("--resume" in arguments)
    if "--config" in arguments or resume:
        assert (options.data, options.epochs) == ("images.npz", 7)


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(data="a b.csv", target="yes", imbalance=1e-7, lr=1e22, free=("l",), seed=2**32 - 1, out="-odd"),
        Options(data="0123", target="null", model="mlp", validation=0.25, weight_decay=0.0),
        Options(target="#,'\" ü:", late=("w",), late_start=0.5),
        Options(drop=('size, "m"', "ü'"), text=("a,b",)),
    ],
)
def test_options_come_back_from_their_file(options, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(options.to_yaml(), encoding="utf-8")
    assert parse(["--config", str(path)]) == (options, False)


def test_names_with_commas_and_quotes_stand_on_the_command_line_as_they_are_read():
    options = Options(data="my table.csv", drop=('size, "m"', "it's"))
    line = shlex.split(command_line("autobalance.search", options))
    assert line[:3] == ["python", "-m", "autobalance.search"] and parse(line[3:])[0] == options


def test_the_command_line_goes_before_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("lr: 0.5\nepochs: 9\nfree: [l, w]\n")
    assert parse(["--config", str(path), "--lr", "0.25"])[0] == Options(lr=0.25, epochs=9, free=("l", "w"))


@pytest.mark.parametrize(
    "content, words",
    [
        ("epoch: 3", "unknown option 'epoch'"),
        ("resume: true", "unknown option 'resume'"),
        ("epochs: few", "'few' is not a whole number of at least 1"),
        ("epochs: 1.5", "'1.5' is not a whole number"),
        ("target: yes", "target is True"),
        ("target: null", "target is None"),
        ("lr: {a: 1}", "lr is {'a': 1}"),
        ("lr: .nan", "'nan' is not finite"),
        ("model: vgg", "invalid choice: 'vgg'"),
        ("[1, 2]", "holds no options"),
        ("", "holds no options"),
        ("a: [", "cannot be read as YAML"),
        ("a: \t1\n\tb: 2", "cannot be read as YAML"),
        ("!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
    ],
)
def test_files_that_are_refused(content, words, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(content)
    message = refused("--config", str(path))
    assert words in message and str(path) in message


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),  # no abbreviations
        (["extra"], "unrecognized arguments: extra"),
        (["--epochs"], "expected one argument"),
        (["--epochs", "0"], "'0' is not a whole number of at least 1"),
        (["--epochs", "-3"], "'-3' is not a whole number of at least 1"),
        (["--seeds=-1"], "'-1' is not a whole number of at least 1"),
        (["--seed=-1"], "'-1' is not a whole number from 0"),
        (["--seed", "4294967296"], "is not a whole number from 0 to 2^32 - 1"),
        (["--lr", "0"], "0 is not above 0"),
        (["--lr", "much"], "'much' is not a number"),
        (["--lr", "inf"], "'inf' is not finite"),
        (["--weight-decay=-1"], "-1 is below 0"),
        (["--warmup", "1"], "1 is not a share"),
        (["--free", "w,m"], "'m' is none of w, l, delta"),
        (["--free", ""], "has an empty name"),
        (["--tie", "group"], "'group' is none of frequency, class and cluster:C"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--config", "missing.yaml"], "there is no file missing.yaml"),
        (["--config", "."], "cannot be read as YAML"),
        (["--resume"], "--resume needs --out"),
        (["--resume", "--out", "nowhere"], "there is no run to resume in nowhere"),
    ],
)
def test_command_lines_that_are_refused(arguments, words):
    assert words in refused(*arguments)


def test_a_run_is_resumed_with_its_own_options_alone(tmp_path):
    (tmp_path / "config.yaml").write_text(Options(lr=0.3, epochs=9, out="elsewhere").to_yaml())
    resume = ["--resume", "--out", str(tmp_path)]
    kept = Options(lr=0.3, epochs=9, out=str(tmp_path))  # the directory may have been moved
    assert parse(resume) == (kept, True)
    assert parse([*resume, "--lr", "0.30", "--epochs", "9"]) == (kept, True)
    message = refused(*resume, "--lr", "0.1", "--target", "y")
    assert "--lr 0.3 -> 0.1" in message and "--target None -> y" in message and "epochs" not in message


def test_what_a_kept_file_leaves_empty_is_unset(tmp_path):
    (tmp_path / "config.yaml").write_text("lr: 0.3\ntarget: null\n")
    assert parse(["--resume", "--out", str(tmp_path)])[0] == Options(lr=0.3, out=str(tmp_path))


def test_the_file_of_a_run_holds_what_was_set():
    content = yaml.safe_load(Options(outer_lr=0.5).to_yaml())
    assert content["outer-lr"] == 0.5 and "target" not in content
    assert len(content) == sum(value is not None for value in asdict(Options()).values())


def test_help_needs_neither_torch_nor_numpy():
    code = """if True:
        import sys
        from autobalance.search import main
        try:
            main(["--help"])
        except SystemExit as end:
            heavy = {"torch", "numpy", "yaml", "rich", "pandas", "matplotlib", "sklearn"} & set(sys.modules)
            print("status", end.code, *heavy)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "status 0" and done.stderr == ""
    assert "examples:" in done.stdout and "--hypergradient" in done.stdout
