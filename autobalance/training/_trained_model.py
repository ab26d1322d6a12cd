"""A trained model with all that predicting needs, in two files: numbers in one, their meaning in the other."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autobalance.common import Fault, InputError, JsonFormat, check_keys, check_number, check_strings, replacing
from autobalance.data import Samples
from autobalance.data.encoders import Encoder, Kept, encoder_of
from autobalance.models import Calibrated, FeatureModel, Structure
from autobalance.tasks import outputs
from autobalance.training._arm import Arm
from autobalance.training._setting import Setting

FORMAT = JsonFormat("autobalance-model", 1, "a model file")
#: The file of `FORMAT`, and that of the tensors, which torch reads without running anything.
MODEL_FILE, TENSORS = "model.json", "model.pt"
_KEYS = {"task", "class_names", "scale", "structure", "encoder", "provenance"}


@dataclass(frozen=True)
class TrainedModel:
    """A trained model that takes samples as they come, such as the rows of a table.

    Args:
        model: (B, ...) -> (B, K) logits; or for a regression the numbers, (B,) or (B, 1). In evaluation mode.
        class_names: K names; None for a regression.
        scale: s of the loss that it was trained with: what it predicts is the largest of s z.
        structure: how the model is built; None where it is the user's own.
        encoder: turns samples into inputs of the model; None: they are inputs as they come.
        provenance: plain JSON values: where it comes from.
    """

    model: nn.Module
    class_names: tuple[str, ...] | None
    scale: float = 1.0
    structure: Structure | None = None
    encoder: Encoder | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module, setting: Setting, arm: Arm, provenance: dict[str, Any]) -> Self:
        """A model that was trained in a setting.

        Args:
            model: trained; a feature smoothing in it, which has no effect in evaluation, is left out.
            setting: where it was made. Where its samples are features, the model that is kept is the whole network.
            arm: what it was trained with.
            provenance: as in the class.
        """
        bare = (model.model if isinstance(model, Calibrated) else model).eval()
        problem, structure, encoder = setting.problem, setting.structure, setting.problem.encoder
        if (below := setting.below) is not None:
            assert isinstance(bare, FeatureModel)
            bare, structure, encoder = FeatureModel(below.body, bare.head).eval(), below.structure, below.encoder
        if structure is not None:
            structure = replace(structure, head=arm.head)
        if problem.bin_edges is not None:
            return cls(bare, None, 1.0, structure, encoder, provenance)
        scale = float(getattr(arm.loss.stages[-1].loss, "scale", 1.0))
        return cls(bare, problem.class_names, scale, structure, encoder, provenance)

    @property
    def task(self) -> str:
        return "regression" if self.class_names is None else "classification"

    def outputs(self, data: Any) -> Tensor:
        """What the model answers: ``s z``, (N, K); or for a regression the numbers, (N,).

        Args:
            data: samples as the training samples came: for tables a DataFrame with at least their columns, in any
                order; for arrays an array; for images a list of their paths.

        Raises:
            InputError: samples of another kind, or values that cannot be.
        """
        given = torch.as_tensor(data, dtype=torch.float32) if self.encoder is None else self.encoder.encode(data)
        samples = Samples(given, torch.zeros(len(given), dtype=torch.int64))
        device = next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))
        answers = outputs(self.model, samples.to(device)).cpu()
        return self.scale * answers if self.class_names is not None else answers.reshape(len(given))

    def predict(self, data: Any) -> NDArray[Any]:
        """The name of each sample's class, or its number, (N,); ``data`` as in `outputs`."""
        answers = self.outputs(data)
        if self.class_names is None:
            return answers.numpy()
        return np.array(self.class_names, dtype=object)[answers.argmax(1).numpy()]

    def predict_proba(self, data: Any) -> NDArray[np.float32]:
        """``softmax(s z)``, (N, K), in the order of ``class_names``; ``data`` as in `outputs`.

        The model was trained for an objective in which rare classes count for more than their frequency, so these are
        no frequencies to expect.

        Raises:
            InputError: the model predicts numbers.
        """
        if self.class_names is None:
            raise InputError("the model predicts numbers: it has no probabilities, call predict")
        return self.outputs(data).softmax(1).numpy()

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes ``model.pt``, the weights and tables of numbers, and then ``model.json``, all the rest.

        The directory is made where it is missing.
        """
        place = Path(directory)
        place.mkdir(parents=True, exist_ok=True)
        kept = None if self.encoder is None else self.encoder.kept()
        weights = {name: value.detach().cpu() for name, value in self.model.state_dict().items()}
        with replacing(place / TENSORS) as file:
            torch.save({"weights": weights, "encoder": {} if kept is None else dict(kept.tensors)}, file)
        description = {
            "task": self.task,
            "class_names": None if self.class_names is None else list(self.class_names),
            "scale": self.scale,
            "structure": None if self.structure is None else self.structure.to_dict(),
            "encoder": None if kept is None else kept.settings,
            "provenance": self.provenance,
        }
        FORMAT.write(place / MODEL_FILE, description)


def load_model(directory: str | os.PathLike[str], model: nn.Module | None = None) -> TrainedModel:
    """The model that a search has trained with the loss that it chose, ready to predict. Runs nothing from the files.

    Args:
        directory: of the run.
        model: one's own network, where the run's data came with one; its weights are replaced.

    Raises:
        InputError (a ValueError): there is none, a file is damaged, or the model does not fit.
    """
    place = Path(directory)
    if not (place / MODEL_FILE).is_file():
        raise InputError(f"{place} holds no {MODEL_FILE}: it is no run, one that is not finished, or one of an earlier "
                         "release: search again, or resume it")  # fmt: skip
    content, fault = FORMAT.read(place / MODEL_FILE)
    check_keys(content, _KEYS, set(), fault)
    if (names := content["class_names"]) is not None:
        check_strings("class_names", names, fault)
    check_number("scale", content["scale"], fault)
    tensors = _read_tensors(place / TENSORS)
    try:
        structure = None if content["structure"] is None else Structure.from_dict(content["structure"])
        encoder = None if content["encoder"] is None else encoder_of(Kept(content["encoder"], tensors["encoder"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise fault(f"the structure or the encoder is damaged ({type(error).__name__}: {error})") from None
    network = _network(structure, model, fault)
    try:
        network.load_state_dict(tensors["weights"])
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{place / TENSORS} does not fit the model ({reason})") from None
    return TrainedModel(
        network.eval(),
        None if names is None else tuple(names),
        float(content["scale"]),
        structure,
        encoder,
        content["provenance"],
    )


def _network(structure: Structure | None, model: nn.Module | None, fault: Fault) -> nn.Module:
    """The model to put the weights into."""
    if structure is None:
        if model is None:
            raise fault("the run's model is your own, which no file can hold: call load_model(DIR, model=...) with one "
                        "of its kind")  # fmt: skip
        return model
    if model is not None:
        raise fault(f"the run's model is {structure.name}, which is built by itself: leave `model` out")
    with torch.random.fork_rng(devices=[]):
        return structure.build()


def _read_tensors(path: Path) -> dict[str, Any]:
    """The content of the file of tensors.

    Raises:
        InputError: it is missing, damaged, or holds anything but tensors.
    """
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        if set(content) == {"weights", "encoder"}:
            return content
        reason = "it is no file of a model"
    except Exception as error:  # a torn file breaks torch's reader in many ways, none of which runs anything
        reason = " ".join(str(error).split())[:120]
    raise InputError(f"{path} cannot be read ({reason}): search again")
