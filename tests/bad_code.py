"""Functions and models of a user's own, each with a fault; written to a module that the commands import by name."""

SOURCE = """
import sys
import numpy as np
import torch
from torch import nn

generator = np.random.default_rng(0)

def part(counts=(40, 20, 10), width=3):
    y = np.repeat(np.arange(len(counts)), counts)
    return generator.normal(size=(len(y), width)).astype("f4") + y[:, None], y

def good(): return {"train": part(), "test": part()}
def raises(): raise KeyError("nothing here")
def needs(argument): return good()
def exits(): sys.exit(3)
def memory(): raise MemoryError
def missing(): open("missing.bin")
def deep(): return deep()
def none(): pass
def objects(): return {"train": (np.array([[None] * 3] * 70), part()[1]), "test": part()}
def widths(): return {"train": part(), "test": part(width=4)}
def unknown(): return {**good(), "tset": part()}

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.calls = nn.Linear(3, 3), 0

    def forward(self, x):
        return self.layer(x)

class Raises(Layer):
    def forward(self, x): raise KeyError("layer")

class Later(Layer):
    def forward(self, x):
        self.calls += 1
        if self.calls > 9: raise KeyError("later")
        return self.layer(x)

class Pair(Layer):
    def forward(self, x): return self.layer(x), 1

class Nan(Layer):
    def __init__(self):
        super().__init__()
        self.layer.weight.data.fill_(float("nan"))

def with_model(make): return lambda: {**good(), "model": make}
model_raises, model_later, model_pair, model_nan = map(with_model, (Raises, Later, Pair, Nan))
model_needs, model_exits = with_model(lambda k: Layer()), with_model(lambda: sys.exit(1))
model_none, model_tanh = with_model(lambda: None), with_model(nn.Tanh)

def two(output, target): return output.sum()
def number(output, target, group): return 0.5
def vector(output, target, group): return output.sum(1)
def constant(output, target, group): return torch.tensor(1.0)
def failing(output, target, group): raise KeyError("objective")
calls = []
def later(output, target, group):
    calls.append(1)
    if len(calls) > 9: raise KeyError("later")
    return torch.nn.functional.cross_entropy(output, target)
"""
