"""Reference models, each a body that makes features and a head that makes logits."""

from autobalance.models._base import CosineLinear, FeatureModel
from autobalance.models._make import default_model, make_model, model_names
from autobalance.models._regression import rescaled

__all__ = ["CosineLinear", "FeatureModel", "default_model", "make_model", "model_names", "rescaled"]
