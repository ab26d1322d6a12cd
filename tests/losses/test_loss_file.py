"""loss.json: what is written comes back, and whatever is wrong with a file is said, with its name."""

import copy
import json
from pathlib import Path

import pytest
import torch

from autobalance.common import InputError
from autobalance.losses import (
    ParametricLoss,
    ScheduledLoss,
    deferred,
    load_loss,
    loss_from_dict,
    loss_to_dict,
    save_loss,
)
from autobalance.losses.named import fixed_point, fixed_points

COUNTS = [50, 9, 2]
LOGITS, TARGET = torch.tensor([[0.3, -1.0, 2.0], [1.5, 0.2, -0.7]]), torch.tensor([1, 0])


def with_groups(dtype=None):
    tables = {name: torch.rand(3, 2) + 0.5 for name in ("w", "l", "delta", "margin")}
    return ParametricLoss(3, **tables, group_names=["ж", "b"], reduction="batch_mean", dtype=dtype)


@pytest.fixture
def content(tmp_path):
    """A valid file as Python values: a scheduled loss with all parameters."""
    start = ParametricLoss(3, l=[0.0, 1, 2], delta=[1.0, 0.5, 2], margin=[0.1, 0.2, 0.3], scale=2.0, gamma=0.5)
    save_loss(deferred(start, [0.5, 1.0, 1.5]), tmp_path / "valid.json", {"seed": 0})
    return json.loads((tmp_path / "valid.json").read_text())


def test_the_start_of_the_output_s_bias_is_in_the_file_where_there_is_one(tmp_path):
    loss = ParametricLoss(3, l=[1.0, 0.0, -1.0], start_bias=[-1.0, 0.0, 1.0])
    save_loss(loss, tmp_path / "loss.json")
    assert load_loss(tmp_path / "loss.json").start_bias.tolist() == [-1.0, 0.0, 1.0]
    content = json.loads((tmp_path / "loss.json").read_text())
    assert "start_bias" not in loss_to_dict(ParametricLoss(3)) and content["start_bias"] == [-1.0, 0.0, 1.0]
    for wrong in ([1.0, 2.0], [0.0, 0.0, "x"], [float("nan")] * 3, 4):
        with pytest.raises(InputError, match="start_bias"):
            loss_from_dict({**content, "start_bias": wrong})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_member_and_its_schedule_come_back(tmp_path, dtype):
    for name in fixed_points():
        loss = fixed_point(name, COUNTS, dtype=dtype, class_names=["ж", "b", "c"])
        path = tmp_path / f"{name}.json"
        save_loss(loss, path)
        again = load_loss(path, dtype=dtype)
        assert type(again) is type(loss) and again.class_names == ("ж", "b", "c") and "ж" in path.read_text("utf-8")
        for progress in (0.0, 0.79, 0.8, 0.99):
            found, expected = again.at(progress), loss.at(progress)
            assert found.reduction == expected.reduction
            assert found.defaults == expected.defaults
            for parameter in found.defaults:
                assert torch.equal(getattr(found, parameter), getattr(expected, parameter)), (name, parameter)
        norms = torch.tensor([2.0, 3.0])
        again, loss = again.eval(), loss.eval()
        assert torch.equal(again(LOGITS, TARGET, features=norms), loss(LOGITS, TARGET, features=norms))


def test_groups_come_back(tmp_path):
    loss = with_groups()
    save_loss(loss, tmp_path / "loss.json")
    again, group = load_loss(tmp_path / "loss.json"), torch.tensor([1, 0])
    assert again.group_names == ("ж", "b") and again.num_groups == 2 and again.reduction == "batch_mean"
    assert torch.equal(again(LOGITS, TARGET, group=group), loss(LOGITS, TARGET, group=group))


def test_the_file_is_what_the_documentation_says(content):
    assert set(content) == {
        *("format", "version", "task", "num_classes", "class_names"),
        *("parameters", "schedule", "reduction", "provenance"),
    }
    assert (content["format"], content["version"], content["task"]) == ("autobalance-loss", 2, "classification")
    assert content["class_names"] == ["0", "1", "2"] and content["provenance"] == {"seed": 0}
    assert content["parameters"]["w"] == [1, 1, 1] and content["parameters"]["scale"] == 2
    assert content["schedule"] == [{"start": 0.8, "parameters": {"w": [0.5, 1, 1.5]}}]


def test_a_file_without_schedule_is_a_plain_member_of_the_family(content, tmp_path):
    del content["schedule"], content["provenance"]
    (tmp_path / "loss.json").write_text(json.dumps(content))
    assert type(load_loss(tmp_path / "loss.json")) is ParametricLoss


def test_several_stages_come_back(tmp_path):
    loss = ScheduledLoss([(0.0, ParametricLoss(3)), (0.25, ParametricLoss(3, gamma=1.0)), (0.5, ParametricLoss(3))])
    save_loss(loss, tmp_path / "loss.json")
    again = load_loss(tmp_path / "loss.json")
    assert [(s.start, s.loss.gamma.item()) for s in again.stages] == [(0.0, 0.0), (0.25, 1.0), (0.5, 0.0)]


def test_plug_ins_are_no_files(tmp_path):
    with pytest.raises(InputError, match=r"loss\.json.*plug-in"):
        save_loss(fixed_point("csl", COUNTS, variant="released"), tmp_path / "loss.json")
    assert list(tmp_path.iterdir()) == []


def test_what_a_term_has_collected_comes_back_and_is_shared_by_the_stages(tmp_path):
    loss = fixed_point("csl", COUNTS, base="ldam-drw", reward=3.0, dtype=torch.float64)
    for progress in (0.0, 0.4):
        loss.start_epoch(progress)
        loss(LOGITS.double(), TARGET, features=torch.tensor([2.0, 3.0]))
    save_loss(loss, tmp_path / "loss.json")
    again = load_loss(tmp_path / "loss.json", dtype=torch.float64)
    first, last = again.at(0.0), again.at(1.0)
    assert first.statistics is last.statistics and first.csl_reward == 3 and last.counts == "validation"
    for name, value in loss.at(0.0).statistics.state_dict().items():
        assert torch.equal(value, first.statistics.state_dict()[name]), name
    values = []
    for each in (loss, again):
        each.start_epoch(0.9)
        values.append(each(LOGITS.double(), TARGET, features=torch.tensor([2.0, 3.0])))
    assert torch.equal(*values) and values[0] > loss.at(1.0).base(LOGITS.double(), TARGET)


def test_terms_that_cannot_be_are_refused(tmp_path):
    content = loss_to_dict(fixed_point("csl", COUNTS, base="equalization"))
    equalization, csl = content["terms"]
    assert (equalization["kind"], csl["kind"]) == ("equalization", "csl")

    def refused(terms, message):
        with pytest.raises(InputError, match=message):
            loss_from_dict({**content, "terms": terms})

    refused({}, "terms is not a list")
    refused([{**csl, "kind": "x"}], "kind is one of equalization, influence, csl")
    refused([csl], "parameters should be exactly|unknown parameters")
    refused([csl, equalization], "equalization goes inside csl")
    refused([equalization, {**csl, "more": 1}], "more")
    refused([equalization, {**csl, "settings": {}}], "settings of csl should be exactly")
    refused([{**equalization, "settings": {"rare": [1, 0, 1], "probability": 0.9}}, csl], "true and false")
    refused([{**equalization, "settings": {"rare": [True], "probability": 0.9}}, csl], "rare has shape")
    refused([{**equalization, "settings": {"rare": [True] * 3, "probability": "x"}}, csl], "probability")
    refused([equalization, {**csl, "settings": {"epsilon": 1e-6, "counts": "x"}}], "counts is 'x'")
    state = csl["collected"]["statistics"]
    for wrong, message in [
        ({}, "should be exactly"),
        ({**state, "scale": [0.0]}, "wrong lengths"),
        ({**state, "scale": "x"}, "no number"),
    ]:
        refused([equalization, {**csl, "collected": {"statistics": wrong}}], message)
    refused([equalization, {**csl, "collected": {"more": {}}}], "has collected should be")
    number = loss_to_dict(fixed_point("l1", targets=[0.0, 1.0, 2.0]))
    with pytest.raises(InputError, match="terms are for classification"):
        loss_from_dict({**number, "terms": [csl], "parameters": {**number["parameters"], "csl": 1.0}})


def test_stages_with_different_terms_are_refused(tmp_path):
    loss = ScheduledLoss([(0.0, ParametricLoss(3)), (0.5, fixed_point("csl", COUNTS))])
    with pytest.raises(InputError, match="different terms"):
        save_loss(loss, tmp_path / "loss.json")


def test_a_file_of_version_1_is_read():
    loss = load_loss(Path(__file__).parent / "loss_version_1.json")
    assert loss.class_names == ("a", "b", "c") and loss.at(0.0).l.tolist() == [0.5, 0.0, -0.5]
    assert [(stage.start, stage.loss.w.tolist()) for stage in loss.stages] == [(0.0, [1, 1, 1]), (0.8, [0.5, 1, 1.5])]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    save_loss(ParametricLoss(3), tmp_path / "loss.json")
    before = (tmp_path / "loss.json").read_text()
    with pytest.raises(ValueError, match="JSON compliant"):
        save_loss(ParametricLoss(4), tmp_path / "loss.json", {"error": float("nan")})
    assert (tmp_path / "loss.json").read_text() == before


def test_a_file_cut_off_anywhere_is_refused(content, tmp_path):
    path, text = tmp_path / "loss.json", json.dumps(content, indent=2)
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        with pytest.raises(InputError, match=r"loss\.json: not a complete JSON file"):
            load_loss(path)


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b"[" * 100_000, b"1" * 10_000, b"\x00" * 50])
def test_what_is_no_json_at_all(raw, tmp_path):
    (tmp_path / "loss.json").write_bytes(raw)
    with pytest.raises(InputError, match=r"loss\.json: not a complete JSON file"):
        load_loss(tmp_path / "loss.json")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_loss(tmp_path / "loss.json")


DELETE = object()
NAN, INF = float("nan"), float("inf")
FAULTS = [
    (["format"], "another", "not a loss file"),
    (["format"], DELETE, "not a loss file"),
    (["version"], 3, "version 3"),
    (["version"], DELETE, "version None"),
    (["surprise"], 1, r"unknown keys \['surprise'\]"),
    (["task"], DELETE, r"missing keys \['task'\]"),
    (["class_names"], DELETE, r"missing keys \['class_names'\]"),
    (["parameters"], DELETE, r"missing keys \['parameters'\]"),
    (["task"], "ranking", "'ranking' is none of classification, regression"),
    (["task"], ["regression"], "is none of classification, regression"),
    (["task"], "regression", r"unknown keys \['class_names', 'num_classes'\]"),
    (["reduction"], "average", "'average'"),
    (["reduction"], ["mean"], "none of mean"),
    (["num_classes"], 4, r"w has shape \(3,\).*4 classes"),
    (["num_classes"], 1, "num_classes is 1"),
    (["num_classes"], "3", "num_classes is '3'"),
    (["num_classes"], True, "num_classes is True"),
    (["num_classes"], 3.0, r"num_classes is 3\.0"),
    (["class_names"], ["a", "b"], "2 class names for 3 classes"),
    (["class_names"], ["a", "b", 3], "class_names is not a list of strings"),
    (["class_names"], "abc", "class_names is not a list of strings"),
    (["group_names"], ["a"], "1 group names for 0 groups"),
    (["provenance"], [], "provenance is not an object"),
    (["parameters"], [], "parameters is no object"),
    (["parameters", "w"], DELETE, r"parameters should be exactly .*found \['delta'"),
    (["parameters", "scale"], DELETE, "parameters should be exactly"),
    (["parameters", "tau"], 1.0, r"unknown parameters \['tau'\]"),
    (["parameters", "w"], [1, 1], r"w has shape \(2,\)"),
    (["parameters", "w"], [], r"w has shape \(0,\)"),
    (["parameters", "w"], [[1], [1], [1, 2]], "w in parameters has rows of different lengths"),
    (["parameters", "w"], [[1], 1, 1], "w in parameters has rows of different lengths"),
    (["parameters", "w"], [[], [], []], r"w has shape \(3, 0\)"),
    (["parameters", "w"], [[[1]], [[1]], [[1]]], "not a finite number"),
    (["parameters", "w"], 1.0, "w in parameters is not a list"),
    (["parameters", "w"], [1, -1, 1], "w has a negative weight"),
    (["parameters", "w"], [1, NAN, 1], "w in parameters holds 'nan'"),
    (["parameters", "l"], [0, INF, 0], "l in parameters holds 'inf'"),
    (["parameters", "l"], [0, 10**400, 0], "l in parameters holds"),
    (["parameters", "l"], [0, 1e39, 0], "l is not finite"),
    (["parameters", "delta"], [1, "2", 1], "delta in parameters holds '2'"),
    (["parameters", "delta"], [1, None, 1], "delta in parameters holds 'None'"),
    (["parameters", "margin"], [0, True, 0], "margin in parameters holds 'True'"),
    (["parameters", "gamma"], -1, "gamma is -1"),
    (["parameters", "gamma"], [1], "gamma in parameters holds"),
    (["parameters", "scale"], 0, "scale is 0"),
    (["parameters", "scale"], "30", "scale in parameters holds '30'"),
    (["schedule"], {}, "schedule is not a list"),
    (["schedule", 0], 1, "stage 1 of the schedule should be an object"),
    (["schedule", 0, "start"], DELETE, "stage 1 of the schedule should be an object"),
    (["schedule", 0, "until"], 1, "stage 1 of the schedule should be an object"),
    (["schedule", 0, "start"], 0, "one after the other"),
    (["schedule", 0, "start"], 1, "one after the other"),
    (["schedule", 0, "start"], NAN, "the start of stage 1 of the schedule holds 'nan'"),
    (["schedule", 0, "start"], "late", "the start of stage 1 of the schedule holds 'late'"),
    (["schedule", 0, "parameters"], [], "the parameters of stage 1 of the schedule are no object"),
    (["schedule", 0, "parameters", "tau"], 1, r"stage 1 of the schedule has unknown parameters \['tau'\]"),
    (["schedule", 0, "parameters", "w"], [1, 1], r"w has shape \(2,\)"),
    (["schedule", 0, "parameters", "w"], [1, NAN, 1], "w in stage 1 of the schedule holds 'nan'"),
]


@pytest.mark.parametrize(("place", "value", "message"), FAULTS)
def test_a_malformed_file_is_refused_by_name_and_fault(content, tmp_path, place, value, message):
    broken = copy.deepcopy(content)
    *path, last = place
    inside = broken
    for step in path:
        inside = inside[step]
    if value is DELETE:
        del inside[last]
    else:
        inside[last] = value
    (tmp_path / "loss.json").write_text(json.dumps(broken))
    with pytest.raises(InputError, match=r"loss\.json: .*" + message) as raised:
        load_loss(tmp_path / "loss.json")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [[], 1, None, "autobalance-loss"])
def test_json_that_is_no_object(tmp_path, value):
    (tmp_path / "loss.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match="not a loss file"):
        load_loss(tmp_path / "loss.json")


def test_a_loss_goes_through_plain_values(tmp_path):
    loss = deferred(ParametricLoss(3, gamma=2.0), [0.5, 1.0, 1.5], 0.8)
    described = json.loads(json.dumps(loss_to_dict(loss)))
    save_loss(loss, tmp_path / "loss.json")
    assert described == json.loads((tmp_path / "loss.json").read_text())
    assert loss_to_dict(loss_from_dict(described)) == described
    with pytest.raises(InputError, match=r"^version 3 is not"):
        loss_from_dict({**described, "version": 3})
    with pytest.raises(InputError, match="plug-in"):
        loss_to_dict(fixed_point("csl", COUNTS, variant="released"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 2', '"version": true', "version True is not the version 2"),
        ('"version": 2', '"version": 2, "version": 2', "the key 'version' stands there twice"),
        ('"gamma":', '"gamma": 0.5, "gamma":', "the key 'gamma' stands there twice"),
    ],
)
def test_what_a_reader_would_take_silently_is_refused(content, tmp_path, old, new, message):
    text = json.dumps(content)
    assert text.count(old) == 1
    (tmp_path / "loss.json").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=r"loss\.json: .*" + message):
        load_loss(tmp_path / "loss.json")
