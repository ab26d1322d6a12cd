"""The density of an ordered label: bins of a float target, and label-distribution smoothing (LDS)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from autobalance.common._errors import InputError

KERNELS = ("gaussian", "triang", "laplace")
REWEIGHTS = ("sqrt_inv", "inverse")
#: Whole-number targets that span at most so many values get a bin a value.
MAX_UNIT_BINS = 200


def kernel_window(kernel: str = "gaussian", ks: int = 5, sigma: float = 2.0) -> Tensor:
    """A symmetric window of ``ks`` values whose largest is one, float64.

    The Gaussian is that of the released code: a unit impulse of length ``ks`` that was filtered with a Gaussian of
    reach 4σ reflected at both ends, so that it is flatter than exp(-x²/2σ²) where ``ks`` is small against σ.

    Args:
        kernel: ``gaussian``, ``triang`` or ``laplace``.
        ks: length, odd.
        sigma: width of the Gaussian and of exp(-|x|/σ); the triangle has none.

    Raises:
        InputError (a ValueError): an unknown kernel, an even length, or a width that is not above 0.

    Source: Yang et al. 2021 (Deep Imbalanced Regression), section 3.1, and its released code.
    """
    if kernel not in KERNELS:
        raise InputError(f"no kernel is called {kernel!r}; there are {', '.join(KERNELS)}")
    if ks < 1 or ks % 2 == 0:
        raise InputError(f"ks is {ks}; the window is symmetric about a bin, so its length is odd: 5 for example")
    if not (sigma > 0 and math.isfinite(sigma)):
        raise InputError(f"sigma is {sigma}; the width of the kernel is above 0")
    half = ks // 2
    distance = (torch.arange(ks, dtype=torch.float64) - half).abs()
    if kernel == "triang":
        return 1 - distance / (half + 1)
    if kernel == "laplace":
        return torch.exp(-distance / sigma)
    reach = int(4 * sigma + 0.5)
    offset = torch.arange(-reach, reach + 1)
    place = (torch.arange(ks)[:, None] + offset) % (2 * ks)
    place = torch.where(place < ks, place, 2 * ks - 1 - place)
    window = (torch.exp(-0.5 * (offset.double() / sigma) ** 2) * (place == half)).sum(1)
    return window / window.max()


def smooth_density(
    bin_counts: Tensor | Sequence[float],
    kernel: str = "gaussian",
    ks: int = 5,
    sigma: float = 2.0,
    reweight: str = "sqrt_inv",
    clip: tuple[float, float] = (5.0, 1000.0),
) -> Tensor:
    """The effective density p̃ of each bin, (K,), float64: the square root (``sqrt_inv``) or the clipped value
    (``inverse``) of the counts *first*, then the smoothing, with zeros beyond the ends (the released order).

    Raises:
        InputError (a ValueError): counts that are not a list of numbers of at least 0, or that are all 0; an unknown
            reweighting or kernel; a clip that is not 0 < low <= high.
    """
    counts = torch.as_tensor(bin_counts, dtype=torch.float64).detach().cpu()
    if counts.dim() != 1 or not torch.isfinite(counts).all() or (counts < 0).any() or not counts.sum() > 0:
        raise InputError(f"bin_counts must be one count of at least 0 for each bin, not all 0; got {counts.tolist()}")
    if reweight not in REWEIGHTS:
        raise InputError(f"no reweighting is called {reweight!r}; there are {', '.join(REWEIGHTS)}")
    if not 0 < clip[0] <= clip[1]:
        raise InputError(f"clip is {clip}; it is the smallest and the largest count, both above 0")
    values = counts.sqrt() if reweight == "sqrt_inv" else counts.clamp(*clip)
    window = kernel_window(kernel, ks, sigma)
    return torch.nn.functional.conv1d(values[None, None], window[None, None], padding=ks // 2)[0, 0]


def lds_weights(
    bin_counts: Tensor | Sequence[float],
    kernel: str = "gaussian",
    ks: int = 5,
    sigma: float = 2.0,
    reweight: str = "sqrt_inv",
    clip: tuple[float, float] = (5.0, 1000.0),
) -> Tensor:
    """Label-distribution smoothing: w_b = c / p̃_b, with p̃ from `smooth_density` and mean one over the samples.

    Args:
        bin_counts: training samples of each bin, (K,); of each class where the classes are ordered.
        kernel, ks, sigma: see `kernel_window`.
        reweight: ``sqrt_inv`` (over the square roots of the counts) or ``inverse`` (over the clipped counts).
        clip: smallest and largest count that ``inverse`` uses; ``sqrt_inv`` does not clip, as released.

    Returns:
        weights, (K,), float64; 0 for a bin without samples.

    Raises:
        InputError (a ValueError): see `smooth_density`.

    Source: Yang et al. 2021, section 3.1, and its released code.

    Example:
        >>> lds_weights([4, 0, 1], ks=1).tolist()
        [0.8333333333333334, 0.0, 1.6666666666666667]
    """
    smooth = smooth_density(bin_counts, kernel, ks, sigma, reweight, clip)
    counts = torch.as_tensor(bin_counts, dtype=torch.float64).detach().cpu()
    return normalise(torch.where(counts > 0, 1 / smooth, torch.zeros_like(smooth)), counts)


def normalise(weights: Tensor, counts: Tensor) -> Tensor:
    """``weights`` (K,) scaled to mean one over samples that are ``counts`` (K,) a bin."""
    return weights * (counts.sum() / (weights * counts).sum())


def fill_empty(values: Tensor, counts: Tensor) -> Tensor:
    """``values`` (K,) in which each bin without samples has the value of the nearest bin that has some, the lower one
    of two that are as near."""
    full = torch.nonzero(counts > 0)[:, 0]
    distance = (torch.arange(len(values))[:, None] - full).abs()
    return values[full[distance.argmin(1)]]


#: Each bin has parameters, and rows in tables, of its own.
MOST_BINS = 10_000


def make_bin_edges(targets: Tensor | Sequence[float], num_bins: int | None = None) -> Tensor:
    """Edges of bins over a float target, (K + 1,), float64.

    Args:
        targets: training targets, (N,).
        num_bins: K bins of equal width from the smallest to the largest target. Where None, whole numbers that span at
            most 200 values get a bin a value (edges at ±0.5), others √N bins, at least 5 and at most 50.

    Raises:
        InputError (a ValueError): targets that are not finite or all the same, or fewer than 2 bins.
    """
    values = torch.as_tensor(targets).detach().cpu().double().flatten()
    if not len(values) or not torch.isfinite(values).all():
        raise InputError(f"targets to bin must be finite numbers, got {values[~torch.isfinite(values)][:1].tolist()}")
    low, high = values.min().item(), values.max().item()
    if low == high:
        raise InputError(f"all targets are {low}: there is nothing to bin")
    if num_bins is None:
        if high - low < MAX_UNIT_BINS and (values == values.round()).all():
            return torch.arange(low - 0.5, high + 1, dtype=torch.float64)
        num_bins = min(50, max(5, math.ceil(math.sqrt(len(values)))))
    if num_bins < 2:
        raise InputError(f"{num_bins} bins cannot tell a rare target from a frequent one: give at least 2")
    if num_bins > MOST_BINS:
        raise InputError(f"{num_bins} bins are more than {MOST_BINS}: give fewer")
    return torch.linspace(low, high, num_bins + 1, dtype=torch.float64)


def bin_index(targets: Tensor, edges: Tensor) -> Tensor:
    """The bin of each target, int64, of the same shape: bin k holds [e_k, e_k+1); what lies beyond the ends belongs to
    the first or last bin.

    Args:
        targets: float.
        edges: (K + 1,), ascending.
    """
    values = targets.detach() if targets.is_floating_point() else targets.double()
    return torch.bucketize(values, edges[1:-1].to(values), right=True)


def check_edges(edges: Tensor | Sequence[float]) -> Tensor:
    """The edges as float64 on the CPU.

    Raises:
        InputError (a ValueError): fewer than three, not finite, or not ascending.
    """
    table = torch.as_tensor(edges, dtype=torch.float64).detach().cpu().clone()
    if table.dim() != 1 or len(table) < 3 or not torch.isfinite(table).all() or not (table.diff() > 0).all():
        raise InputError(f"bin_edges must be at least three finite numbers in ascending order, got {table.tolist()}")
    return table
