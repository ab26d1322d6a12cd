"""Callbacks that people watch a search by: one bar, and TensorBoard."""

from autobalance.bilevel.watching._bar import Bar as Bar
from autobalance.bilevel.watching._tensorboard import TensorBoard as TensorBoard
