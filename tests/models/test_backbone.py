"""torchvision's classifiers as bodies: they make of an image what torchvision's own model hands to its last layer."""

import pytest
import torch
import torchvision
from torch import nn

from autobalance.common import InputError
from autobalance.models import Standardised, Structure, backbone_names, backbone_size, make_model, pretrained_weights

#: Small ones, and the name of their last layer.
FAMILIES = {"shufflenet_v2_x0_5": "fc", "mobilenet_v3_small": "classifier.3"}


@pytest.fixture(params=FAMILIES)
def name(request):
    return request.param


def test_its_features_are_what_the_last_layer_is_given(name, tmp_path):
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    x = torch.rand(2, 3, backbone_size(name), backbone_size(name))
    seen = []
    network.get_submodule(FAMILIES[name]).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(x)
    model = make_model(f"torchvision/{name}", x.shape[1:], 5).eval()
    lacks = model.body.load_state_dict(pretrained_weights(name, tmp_path / "weights.pth"), strict=False)
    assert sorted(lacks.missing_keys) == ["1.mean", "1.scale"] and not lacks.unexpected_keys
    logits, features = model(x, return_features=True)
    torch.testing.assert_close(features, seen[0])
    torch.testing.assert_close(logits, model.head(seen[0]))


def test_files_as_training_programs_write_them(tmp_path):
    torch.manual_seed(0)
    network = torchvision.models.shufflenet_v2_x0_5(num_classes=7)  # another last layer
    plain = network.state_dict()
    for content in (plain, {"model": plain}, {"state_dict": {f"module.{key}": value for key, value in plain.items()}}):
        torch.save(content, tmp_path / "weights.pth")
        found = pretrained_weights("shufflenet_v2_x0_5", tmp_path / "weights.pth")
        assert len(found) == len(plain) - 2
        assert all(torch.equal(value, plain[key.removeprefix("0.")]) for key, value in found.items())


def test_files_that_do_not_fit_are_refused(tmp_path):
    file = tmp_path / "weights.pth"
    weights = torchvision.models.shufflenet_v2_x0_5().state_dict()

    def refused(content, message):
        torch.save(content, file)
        with pytest.raises(InputError, match=message):
            pretrained_weights("shufflenet_v2_x0_5", file)

    refused({**weights, "conv1.0.weight": torch.zeros(3)}, r"conv1.0.weight has shape \(3,\), not")
    refused({**weights, "more": torch.zeros(3)}, "does not fit shufflenet_v2_x0_5: more is in only one of them")
    refused({key: value for key, value in weights.items() if "conv5" not in key}, "conv5.0.weight is in only one")
    refused([1, 2], "holds no state_dict")
    refused(nn.Linear(2, 2), "cannot be read as weights")
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read as weights"):
        pretrained_weights("shufflenet_v2_x0_5", file)
    with pytest.raises(InputError, match="there is no file"):
        pretrained_weights("shufflenet_v2_x0_5", tmp_path / "absent.pth")


def test_without_a_network_the_message_says_where_the_file_is(monkeypatch):
    def fail(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(InputError, match=r"no route\): fetch https://\S+resnet18-\S+.pth where .* `weights`"):
        pretrained_weights("resnet18")


def test_all_names_were_trained_on_pixels_that_were_standardised_alike():
    for name in backbone_names():
        transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
        assert (tuple(transforms.mean), tuple(transforms.std)) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert backbone_size("efficientnet_b1") == 240 and len(backbone_names()) > 60
    with pytest.raises(InputError, match=r"no `backbone` resnet51: .*; do you mean resnet5"):
        backbone_size("resnet51")
    with pytest.raises(InputError, match="there is no `backbone` googlenet"):
        Structure("torchvision/googlenet", (3, 8, 8), 2).build()


def test_standardised_features_have_mean_0_and_deviation_1_and_constants_stay():
    features = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([3, 1e-4, 0]) + 2
    layer = Standardised(3)
    assert torch.equal(layer(features), features)
    layer.measure(features)
    made = layer(features)
    torch.testing.assert_close(made.mean(0), torch.zeros(3), atol=2e-3, rtol=0)
    torch.testing.assert_close(made.std(0, correction=0), torch.tensor([1.0, 1, 0]), atol=2e-3, rtol=0)
