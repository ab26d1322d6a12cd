"""Feature-distribution smoothing (FDS): features calibrated towards the statistics of neighbouring bins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autobalance.common import InputError
from autobalance.common.density import kernel_window

#: Variances up to this are taken for constants, which no factor can widen.
SMALLEST_VARIANCE = 1e-10


class FDS(nn.Module):
    """Feature-distribution smoothing as a layer, usable after any layer that gives (B, D).

    At the end of an epoch each bin b has the mean μ_b and unbiased variance v_b of its features, averaged over the
    epochs: r_b <- (1 - momentum) · now + momentum · r_b, the first statistics of a bin as they are. They are smoothed
    over the bins, with a kernel k that sums to one and reflected ends. In training, features z of bin b become

        z̃ = (z - μ_b) √clip(ṽ_b / v_b) + μ̃_b,      out = z + strength · (z̃ - z)

    In evaluation they pass through, as they do before the first `end_epoch`, and where a bin has no statistics (no
    sample so far) or a dimension no variance.

    A loop calls, in each epoch, ``update`` on every batch's features and then ``end_epoch`` once. All of it is
    vectorised over samples and bins and nothing is written into the features.

    Where it differs from the released code: (1) μ, v and their smoothed versions are of the same epoch; the released
    ``running_mean_last_epoch = running_mean`` binds one tensor to two names, so that μ, v moved on while μ̃, ṽ stayed,
    and the first smoothing came an epoch late. (2) Bins without samples take no part in the smoothing, the kernel being
    normalised over the others; the released code smooths their initial mean 0 and variance 1 into their neighbours.
    (3) The running statistics are updated by `end_epoch`, from any number of batches, without a second pass.

    Args:
        feature_dim: D.
        num_bins: K.
        kernel, ks, sigma: of the smoothing, see `kernel_window`; here normalised by its sum.
        momentum: share of the earlier epochs in the running statistics, in [0, 1).
        strength: 0 (off) to 1 (FDS as published).
        clip: smallest and largest ratio of the variances.

    Raises:
        InputError (a ValueError): a number out of its range, or a kernel that reaches over more bins than there are.

    Source: Yang et al. 2021 (Deep Imbalanced Regression), section 3.2.
    """

    count: Tensor
    mean: Tensor
    square: Tensor
    seen: Tensor
    running_mean: Tensor
    running_var: Tensor
    smoothed_mean: Tensor
    smoothed_var: Tensor
    strength: Tensor

    def __init__(
        self,
        feature_dim: int,
        num_bins: int,
        kernel: str = "gaussian",
        ks: int = 5,
        sigma: float = 2.0,
        momentum: float = 0.9,
        strength: float = 1.0,
        clip: tuple[float, float] = (0.1, 10.0),
    ) -> None:
        super().__init__()
        if feature_dim < 1 or num_bins < 1:
            raise InputError(f"FDS needs at least one feature and one bin, got {feature_dim} and {num_bins}")
        if not 0 <= momentum < 1:
            raise InputError(f"momentum is {momentum}; it lies in [0, 1)")
        if not 0 <= strength <= 1:
            raise InputError(f"strength is {strength}; it lies between 0 (off) and 1")
        if not 0 < clip[0] <= 1 <= clip[1]:
            raise InputError(f"clip is {clip}; it is a ratio of at most 1 and one of at least 1")
        if ks // 2 >= num_bins:
            raise InputError(f"a kernel of {ks} bins reaches over more than the {num_bins} bins there are")
        self.feature_dim, self.num_bins, self.momentum = feature_dim, num_bins, momentum
        self.clip, self.settings = clip, f"{kernel}, ks={ks}, sigma={sigma}"
        window = kernel_window(kernel, ks, sigma)
        self._smoother = _smoother(window / window.sum(), num_bins)
        self.register_buffer("count", torch.zeros(num_bins))
        for name in ("mean", "square", "running_mean", "smoothed_mean"):
            self.register_buffer(name, torch.zeros(num_bins, feature_dim))
        for name in ("running_var", "smoothed_var"):
            self.register_buffer(name, torch.ones(num_bins, feature_dim))
        self.register_buffer("seen", torch.zeros(num_bins, dtype=torch.bool))
        self.register_buffer("strength", torch.tensor(float(strength)))

    @torch.no_grad()
    def update(self, features: Tensor, bins: Tensor) -> None:
        """Adds a batch to the statistics of the present epoch (Chan et al. 1983: no cancellation in the variance).

        Args:
            features: (B, D), before calibration.
            bins: (B,), int64, 0..K-1.
        """
        self._check(features, bins)
        x = features.detach().to(self.mean.dtype)
        added = torch.bincount(bins, minlength=self.num_bins).to(x)
        divisor = added.clamp_min(1)[:, None]
        mean = torch.zeros_like(self.mean).index_add_(0, bins, x) / divisor
        square = torch.zeros_like(self.mean).index_add_(0, bins, (x - mean[bins]) ** 2)
        total = self.count + added
        share = (added / total.clamp_min(1))[:, None]
        apart = mean - self.mean
        self.square.add_(square + apart**2 * self.count[:, None] * share)
        self.mean.add_(apart * share)
        self.count.copy_(total)

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Takes the epoch's statistics into the running ones, smooths these, and begins a new epoch."""
        now = (self.count > 0)[:, None]
        old = self.momentum * self.seen[:, None].to(self.mean.dtype)
        var = self.square / torch.where(self.count > 1, self.count - 1, 1)[:, None]
        self.running_mean.copy_(torch.where(now, (1 - old) * self.mean + old * self.running_mean, self.running_mean))
        self.running_var.copy_(torch.where(now, (1 - old) * var + old * self.running_var, self.running_var))
        self.seen.logical_or_(self.count > 0)
        known = self.seen.to(self.mean.dtype)
        weights = self._smoother.to(known) * known
        weights = weights / weights.sum(1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
        self.smoothed_mean.copy_(weights @ self.running_mean)
        self.smoothed_var.copy_(weights @ self.running_var)
        for statistic in (self.count, self.mean, self.square):
            statistic.zero_()

    def forward(self, features: Tensor, bins: Tensor | None = None, strength: Tensor | None = None) -> Tensor:
        """The calibrated features, (B, D); in evaluation the features themselves.

        Args:
            features: (B, D).
            bins: (B,), int64; needed in training.
            strength: instead of the layer's own; the result is differentiable in it.

        Raises:
            ValueError: in training, no bins, or features or bins of another shape.
        """
        if not self.training:
            return features
        if bins is None:
            raise ValueError("in training FDS needs the bins of the samples: call fds(features, bins)")
        self._check(features, bins)
        var, mean = self.running_var[bins], self.running_mean[bins]
        known = self.seen[bins][:, None] & (var > SMALLEST_VARIANCE)
        factor = (self.smoothed_var[bins] / torch.where(known, var, 1)).clamp(*self.clip).sqrt()
        z = features.to(mean.dtype)
        change = (z - mean) * factor + self.smoothed_mean[bins] - z
        amount = self.strength if strength is None else strength
        return (z + amount * torch.where(known, change, 0)).to(features.dtype)

    def _check(self, features: Tensor, bins: Tensor) -> None:
        if features.dim() != 2 or features.shape[1] != self.feature_dim:
            raise ValueError(f"features have shape {tuple(features.shape)}; FDS needs (B, {self.feature_dim})")
        if bins.shape != features.shape[:1] or bins.dtype != torch.int64:
            raise ValueError(f"bins are {bins.dtype} of shape {tuple(bins.shape)}; FDS needs int64, one a sample")

    def extra_repr(self) -> str:
        return f"{self.feature_dim}, {self.num_bins} bins, {self.settings}, momentum={self.momentum}"


def _smoother(window: Tensor, num_bins: int) -> Tensor:
    """The smoothing as a matrix, (K, K): row b has the window about b, reflected about the outer bins."""
    half = len(window) // 2
    place = torch.arange(num_bins)[:, None] + torch.arange(-half, half + 1)
    last = num_bins - 1
    place = last - (last - place.abs()).abs()
    return torch.zeros(num_bins, num_bins, dtype=window.dtype).scatter_add_(1, place, window.expand(num_bins, -1))
