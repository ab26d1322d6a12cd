"""Bad inputs, of the command and from Python: each is refused at once, in one line that says what helps."""

import importlib
import sys

import bad_code
import pytest
import torch
from run_case import OPTIONS, write_data
from torch import nn
from toy import gaussians, linear

import autobalance
from autobalance.bilevel import PredictionSpace, WholeTrainings
from autobalance.common import InputError
from autobalance.compare import main as compare
from autobalance.search import main

NAN, BIG = float("nan"), 10**30
OWN = [word for word in OPTIONS if word not in ("--model", "linear")]

#: What is wrong with a user's code, by the function's name, and what is said.
CODE = {
    "raises": "broken:raises fails: KeyError: 'nothing here' (broken.py, line 14); the traceback is in",
    "needs": "broken:needs is called with no arguments, but takes (argument)",
    "exits": "broken:exits fails: SystemExit: 3 (broken.py",
    "memory": "broken:memory fails: MemoryError (broken.py",
    "missing": "FileNotFoundError: [Errno 2] No such file or directory: 'missing.bin' (broken.py",
    "deep": "RecursionError: maximum recursion depth exceeded",
    "none": "returns a NoneType: it must return a Problem or a dict",
    "objects": "holds object, not numbers",
    "widths": "samples of shape (4,) beside training samples of shape (3,)",
    "unknown": "returns the unknown key 'tset'",
    "model_raises": "the model of broken:model_raises fails: KeyError: 'layer' (broken.py",
    "model_later": "KeyError: 'later' (broken.py",
    "model_pair": "maps two samples to tuple, not to (2, 3) logits",
    "model_nan": "layer.weight holds numbers that are not finite",
    "model_needs": "is called with no arguments, but takes (k)",
    "model_exits": "fails: SystemExit: 1 (broken.py",
    "model_none": "builds a NoneType, not an nn.Module",
    "model_tanh": "the model has nothing to train: no parameters",
    "god": "has no function 'god'; do you mean good?",
}
OBJECTIVES = {
    "two": "takes 2 positional arguments but 3 were given",
    "number": "gives a float: it must give one number, as a tensor",
    "vector": "it must give one number",
    "constant": "has no derivative in the model's output",
    "failing": "KeyError: 'objective'",
    "later": "KeyError: 'later' (broken.py",
}
MODULES = {
    "syntax:f": "SyntaxError: invalid syntax (syntax.py, line 1)",
    "raising:f": "KeyError: 'at import' (raising.py, line 1)",
    "exiting:f": "SystemExit: 4 (exiting.py, line 1)",
    "nomodule:f": "No module named 'nomodule'",
    ":f": "Empty module name",
}
#: Options, and what is said.
COMMANDS = [
    (["--bins", "100000000", "--data", "diabetes", "--task", "regression"], "more than 10000"),
    (["--seeds", str(BIG)], "more than 10000: give fewer"),
    (["--seeds", "0"], "--seeds: '0' is not a whole number of at least 1"),
    (["--epochs", str(BIG)], "--epochs is 1000000000000000000000000000000; it has to be"),
    (["--epochs", "9" * 5000], "is not a whole number"),
    (["--epochs", "²"], "'²' is not a whole number"),
    (["--batch-size", "0"], "--batch-size: '0'"),
    (["--batch-size", str(BIG)], "leaves no room for a hypergradient"),
    (["--unroll", str(BIG)], "does not fit between hypergradients"),
    (["--every", str(BIG)], "leaves no room for a hypergradient"),
    (["--folds", str(BIG)], "folds are too many"),
    (["--rounds", "0"], "--rounds: '0' is not a whole number"),
    (["--budget", "nan"], "'nan' is not finite"),
    (["--lr", "1e400"], "'1e400' is not finite"),
    (["--lr", "-1"], "--lr"),
    (["--weight-decay", "1e300"], "--weight-decay is 1e+300; it has to be"),
    (["--seeds", "٣"], "'٣' is not a whole number"),
    (["--seed", "9" * 5000], "is not a whole number from 0 to 2^32 - 1"),
    (["--momentum", "1"], "1 is not a share"),
    (["--momentum", "0.9", "--optimizer", "adam"], "--momentum 0.9 has no effect with --optimizer adam"),
    (["--milestones", "0.5,0.5", "--schedule", "steps"], "do not rise"),
    (["--seed", "-1"], "'-1' is not a whole number from 0 to 2^32 - 1"),
    (["--seed", str(2**32)], "is not a whole number from 0 to 2^32 - 1"),
    (["--imbalance", "inf", "--data", "digits"], "'inf' is not finite"),
    (["--imbalance", "1e300", "--data", "digits"], "leaves no sample for the last of 10 classes"),
    (["--tie", "cluster:0"], "cannot be tied in clusters of 0"),
    (["--tie", "clas"], "is none of frequency, class and cluster:C"),
    (["--late-start", "0.5"], "has no effect without --late"),
    (["--confidence", "1"], "is not a share"),
    (["--warmup", "-0.1"], "is not a share"),
    (["--image-size", "32"], "--image-size 32 has no effect"),
    (["--shots", "1,2"], "the larger one first"),
    (["--model", "linaer"], "do you mean linear?"),
    (["--modle", "linear"], "do you mean --model?"),
    (["--optimizer", "adm"], "do you mean adam?"),
    (["--strategy", "interleave"], "do you mean interleaved?"),
    (["--hypergradient", "reply"], "do you mean replay?"),
    (["--task", "clasification"], "do you mean classification?"),
    (["--free", "w,detla"], "do you mean delta?"),
    (["--start", "ldamm"], "do you mean ldam?"),
    (["--baselines", "ce,focl"], "do you mean focal?"),
    (["--data", "digit"], "do you mean digits?"),
    (["--objective", "balanced_eror"], "do you mean balanced_error?"),
    (["--objective", "recall(99)"], "there is no class '99'"),
    (["--objective", "f1()"], "write f1(CLASS)"),
    (["--objective", ""], "cannot be read at its end"),
    (["--objective", "("], "cannot be read at '('"),
    (["--objective", "(" * 2000 + "error" + ")" * 2000], "cannot be read"),
    (["--objective", "error" + " + error" * 3000], "has more than 100 terms"),
    (["--objective", "0*error"], "give a number above 0"),
    (["--objective", "1e999*error"], "give a number above 0"),
    (["--objective", "error subject to"], "cannot be read at its end"),
    (["--objective", "error subject to recall(0)>=2"], "give a share"),
    (["--objective", "cost(nofile.csv)"], "there is no such file"),
    (["--objective", "worst_group"], "needs groups"),
    (["--objective", "mae"], "no objective is called 'mae'"),
    (["--data", "nofile.csv"], "there is no file nofile.csv"),
    (["--data", "nofile.npz"], "nofile.npz"),
    (["--data", "/dev/null"], "is unknown"),
    (["--data", "\0"], "is unknown"),
    (["--data", "a" * 5000], "File name too long"),
    (["--config", "nofile.yaml"], "there is no file nofile.yaml"),
    (["--target", "x"], "--target"),
    (["--fds-layer", "last"], "has no effect on classes"),
    (["--candidates", "ce"], "--candidates ce have no effect"),
]

TRAIN, VALIDATION = gaussians([40, 17, 6], 0), gaussians([20, 9, 3], 1)
X, Y = TRAIN.x, TRAIN.y
NUMBERS = {"task": "regression", "train_set": (X, X[:, 0]), "validation_set": (X, X[:, 0])}
WITHIN = {"strategy": "interleaved", "outer": autobalance.OuterLoop(every=5), "hypergradient": autobalance.Replay(3)}
SHORT = {"recipe": autobalance.Recipe(epochs=2, batch_size=16), **WITHIN}
NONE = dict.fromkeys(WITHIN)
#: Makers of values, and what is said.
VALUES = [
    (lambda: autobalance.Recipe(schedule="x"), "`schedule` is 'x'"),
    (lambda: autobalance.Recipe(schedule="cosin"), "do you mean cosine?"),
    (lambda: autobalance.Recipe(optimizer=["sgd"]), "`optimizer` is"),
    (lambda: autobalance.Recipe(lr=NAN), "`lr` is nan"),
    (lambda: autobalance.Recipe(lr="0.1"), "`lr` is '0.1'"),
    (lambda: autobalance.Recipe(batch_size=-5), "`batch_size` is -5"),
    (lambda: autobalance.Recipe(epochs=1.5), "`epochs` is 1.5"),
    (lambda: autobalance.Recipe(epochs=True), "`epochs` is True"),
    (lambda: autobalance.Recipe(epochs=10**400), "`epochs` is 1000"),
    (lambda: autobalance.Recipe(weight_decay=1e300), "`weight_decay` is 1e\\+300"),
    (lambda: autobalance.Recipe(clip=0), "`clip` is 0"),
    (lambda: autobalance.Recipe(compiled="no"), "`compiled` is 'no'"),
    (lambda: autobalance.Recipe(nesterov="x"), "`nesterov` is 'x'"),
    (lambda: autobalance.Recipe(milestones=0.5, schedule="steps"), "`milestones` is 0.5"),
    (lambda: autobalance.OuterLoop(warmup=-1), "`warmup` is -1"),
    (lambda: autobalance.OuterLoop(every=0), "`every` is 0"),
    (lambda: autobalance.OuterLoop(betas=(2, 3)), "`betas` is 2"),
    (lambda: autobalance.OuterLoop(betas=0.5), "`betas` is 0.5; it has to be two numbers"),
    (lambda: autobalance.OuterLoop(betas=(0.5, 0.5, 0.5)), "it has to be two numbers"),
    (lambda: autobalance.Replay(0), "`steps` is 0"),
    (lambda: autobalance.Replay(2.5), "`steps` is 2.5"),
    (lambda: PredictionSpace(budget=NAN), "`budget` is nan"),
    (lambda: WholeTrainings(-1), "`rounds` is -1"),
    (lambda: WholeTrainings(BIG), "`rounds` is 1000"),
    (lambda: autobalance.fixed_point("lda", [3, 2]), "no fixed loss is called 'lda'.*do you mean la?"),
    (lambda: autobalance.fixed_point("la", [0, 0]), "at least 1 a class"),
    (lambda: autobalance.fixed_point("la", [3]), "of one class"),
    (lambda: autobalance.fixed_point("la", [3.5, 2]), "whole numbers of samples, got 3.5"),
    (lambda: autobalance.fixed_point("la", [NAN, 2]), "at least 1 a class"),
    (lambda: autobalance.fixed_point("la", []), "at least 1 a class"),
    (lambda: autobalance.fixed_point("la", "32"), "at least 1 a class, got '32'"),
    (lambda: autobalance.fixed_point("la"), "needs class_counts"),
    (lambda: autobalance.fixed_point("la", [3, 2], tao=1), "no hyper-parameter 'tao'; it has tau; do you mean tau?"),
    (lambda: autobalance.fixed_point("la", [3, 2], tau=NAN), "not finite"),
    (lambda: autobalance.fixed_point("la", [3, 2], weight=[1, 2, 3]), "w"),
    (lambda: autobalance.fixed_point("la", [3, 2], weight=[0, 0]), "w is 0 for every class"),
    (lambda: autobalance.fixed_point("la", [3, 2], reduction="avg"), "reduction is 'avg'"),
]
VALUES += [
    (lambda: autobalance.fixed_point("la", [None, 2]), r"at least 1 a class, got \[None, 2\]"),
    (lambda: autobalance.fixed_point("la", [3, 2], tau="x"), "tau of la is 'x'; it has to be a number, such as 1.0"),
    (lambda: autobalance.fixed_point("la", [3, 2], dtype=torch.int64), "floating-point numbers"),
    (lambda: autobalance.fixed_point("ib", [3, 2], weight=[0, 0]), "w is 0 for every class"),
    (lambda: autobalance.fixed_point("group-la", cell_counts=[[1, 2]]), "of one class"),
    (lambda: autobalance.fixed_point("group-la", cell_counts=[[1.5, 2], [3, 4]]), "whole numbers of samples, got 1.5"),
    (lambda: autobalance.fixed_point("group-la", cell_counts=[[1], [2, 3]]), r"\(K, G\), got \[\[1\], \[2, 3\]\]"),
    (lambda: autobalance.fixed_point("lds", bin_counts=[1.5, 2]), "whole numbers of samples, got 1.5"),
]
#: Keywords of `search_loss`, and what is said.
SEARCHES = [
    ({"confidence": NAN}, "`confidence` is nan"),
    ({"confidence": "0.5"}, "`confidence` is '0.5'"),
    ({"free": "w"}, r"`free` is 'w'; it has to be a list of names, as \['w'\]"),
    ({"free": 3}, "`free` is 3"),
    ({"free": ("detla",)}, "do you mean delta?"),
    ({"late": "w"}, "`late` is 'w'"),
    ({"candidates": "ce", "confidence": 0.5}, "`candidates` is 'ce'"),
    ({"candidates": ("focl",), "confidence": 0.5}, "do you mean focal?"),
    ({"operations": "noise"}, "`operations` is 'noise'"),
    ({**NONE, "rounds": -1}, "`rounds` is -1"),
    ({**NONE, "budget": NAN}, "`budget` is nan"),
    ({**NONE, "budget": "3"}, "`budget` is '3'"),
    ({"folds": 1}, "`folds` is 1"),
    ({"folds": "3"}, "`folds` is '3'"),
    ({"seed": -1}, "`seed` is -1"),
    ({"seed": 1.5}, "`seed` is 1.5"),
    ({"seed": 2**70}, "`seed` is"),
    ({"seed": "a"}, "`seed` is 'a'"),
    ({"tie": "x"}, "tied by 'x'"),
    ({"tie": 3}, "`tie` is '3'"),
    ({"start": "lda"}, "no fixed loss is called 'lda'"),
    ({"start": 3}, "`start` is '3', a int"),
    ({"start": nn.CrossEntropyLoss()}, "a CrossEntropyLoss; it has to be a loss"),
    ({"objective": "balanced"}, "do you mean balanced_error?"),
    ({"recipe": {"epochs": 3}}, "`recipe` is .* it has to be a Recipe"),
    ({"outer": {"every": 3}}, "`outer` is .* it has to be an OuterLoop"),
    ({"hypergradient": "replay"}, "`hypergradient` is 'replay'; it has to be an engine"),
    ({"strategy": "interlaved"}, "do you mean interleaved?"),
    ({"task": "x"}, "no task is called 'x'"),
    ({"bins": 3}, "`bins` have no effect"),
    ({**NUMBERS, "bins": 10**8, "model": nn.Linear(3, 1).double()}, "more than 10000"),
    ({"model": lambda x: x}, "the model is a function; it has to be an nn.Module"),
    ({"model": nn.Linear}, "the model is the class Linear"),
    ({"model": None}, "the model is a NoneType"),
    ({"model": nn.Tanh()}, "nothing to train"),
    ({"model": nn.Linear(3, 5).double()}, r"answers 2 samples with \(2, 5\), not with \(B, 3\)"),
    ({"model": nn.Linear(4, 3).double()}, r"the model fails on samples of shape \(3,\)"),
    ({"train_set": (X[:0], Y[:0])}, "empty"),
    ({"train_set": (X * NAN, Y)}, "nan"),
    ({"train_set": (X, Y - 1)}, "-1"),
    ({"train_set": (X, Y + 0.5)}, "0.5"),
    ({"train_set": (X, Y[:-1])}, "62|63"),
    ({"train_set": (X,)}, "must be"),
    ({"train_set": None}, "must be"),
    ({"train_set": (X.long(), Y)}, r"the model fails on samples of shape \(3,\), torch.int64"),
    ({"validation_set": (torch.zeros(32, 4), VALIDATION.y)}, r"shape \(3,\), the validation samples \(4,\)"),
    ({"class_names": ("a",)}, "name"),
    ({"class_names": ("a", "a", "b")}, "a"),
    ({"group_names": ("a", "b")}, "`group_names` have no effect"),
    ({"class_names": "abc"}, "class_names is the text 'abc'"),
    ({"train_set": ([[1.0], [1.0, 2.0]], [0, 1])}, "samples make no array"),
    ({"on_epoch": 3}, "`on_epoch` is 3; it has to be a function"),
    ({**NUMBERS, "bins": "x", "model": nn.Linear(3, 1).double()}, "`bins` is 'x'"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data.npz")


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A directory with modules of the user's, from which the command is started."""
    names = ["broken", "syntax", "raising", "exiting"]
    texts = (bad_code.SOURCE, "def f(:\n", "raise KeyError('at import')\n", "import sys; sys.exit(4)\n")
    for name, text in zip(names, texts, strict=True):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)


def refused(capsys, arguments, said, out):
    """The command ends with 2 after one line that says so, and nothing but that on the last line."""
    assert main([*arguments, "--out", str(out)]) == 2
    captured = capsys.readouterr()
    last = captured.err.splitlines()[-1]
    assert last.startswith("error: ") and said in last and "Traceback" not in captured.err + captured.out


@pytest.mark.parametrize("name", CODE)
def test_code_of_ones_own_that_fails_is_one_line(broken, capsys, name):
    refused(capsys, ["--data", f"broken:{name}", *OWN], CODE[name], broken / "run")
    log = broken / "run" / "error.log"
    assert log.exists() == ("the traceback is in" in CODE[name] or "(broken.py" in CODE[name] or name == "deep")
    assert not log.exists() or "Traceback (most recent call last)" in log.read_text()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_of_ones_own_that_fail(broken, capsys, name):
    arguments = ["--data", "broken:good", "--objective", f"broken:{name}", *OPTIONS]
    refused(capsys, arguments, OBJECTIVES[name], broken / "run")


@pytest.mark.parametrize("source", MODULES)
def test_modules_that_cannot_be_imported(broken, capsys, source):
    refused(capsys, ["--data", source, *OWN], MODULES[source], broken / "run")


@pytest.mark.parametrize(("arguments", "said"), COMMANDS, ids=lambda value: str(value)[:40])
def test_bad_command_lines(data, tmp_path, capsys, arguments, said):
    refused(capsys, ["--data", str(data), *OPTIONS, *arguments], said, tmp_path / "run")


@pytest.mark.parametrize(("make", "said"), VALUES, ids=[said for _, said in VALUES])
def test_bad_values(make, said):
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize(("settings", "said"), SEARCHES, ids=[said for _, said in SEARCHES])
def test_bad_searches(settings, said):
    given = {"model": linear(3), "train_set": TRAIN, "validation_set": VALIDATION, **SHORT, **settings}
    with pytest.raises(InputError, match=said):
        autobalance.search_loss(given.pop("model"), given.pop("train_set"), given.pop("validation_set"), **given)


def test_a_lack_of_memory_says_what_was_done_and_what_needs_less(data, tmp_path, capsys, monkeypatch):
    def full(*rest):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr("autobalance.bilevel._interleaved.inner_step", full)
    refused(capsys, ["--data", str(data), *OPTIONS], "out of memory in the phase warm-up: a smaller", tmp_path / "run")


def test_a_config_of_a_thousand_brackets_too_many_workers_and_no_path(data, tmp_path, capsys):
    (tmp_path / "deep.yaml").write_text("[" * 1000)
    refused(capsys, ["--config", str(tmp_path / "deep.yaml")], "cannot be read as YAML", tmp_path / "run")
    assert compare(["--data", str(data), "--workers", str(BIG), "--out", str(tmp_path / "run")]) == 2
    assert "is more than 1024: give fewer" in capsys.readouterr().err
    assert main(["--data", str(data), *OPTIONS, "--out", "\0"]) == 2
    assert "is no path: it holds a null character" in capsys.readouterr().err


def test_an_unknown_keyword_is_a_type_error_that_names_the_nearest():
    with pytest.raises(TypeError, match=r"no argument 'objectiv'; do you mean objective\?"):
        autobalance.search_loss(linear(3), TRAIN, VALIDATION, objectiv="error")
