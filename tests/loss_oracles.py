"""The published losses as plain Python loops over one sample at a time, each as its paper writes it."""

from __future__ import annotations

import math


def softmax(u):
    top = max(u)
    e = [math.exp(x - top) for x in u]
    return [x / sum(e) for x in e]


def minus_log_softmax(u, y):
    top = max(u)
    return top - u[y] + math.log(sum(math.exp(x - top) for x in u))


def family(z, y, w=None, l=None, delta=None, margin=None, scale=1.0, gamma=0.0):  # noqa: E741
    """The family's loss of one sample; tables are lists over the classes."""
    u = []
    for j in range(len(z)):
        u_j = scale * (delta[j] if delta else 1.0) * z[j] + (l[j] if l else 0.0)
        if j == y and margin:
            u_j -= scale * margin[y]
        u.append(u_j)
    p_y = softmax(u)[y]
    return (w[y] if w else 1.0) * (1 - p_y) ** gamma * minus_log_softmax(u, y)


def to_sum_k(weights):
    return [x * len(weights) / sum(weights) for x in weights]


def inverse(n):
    return to_sum_k([1 / k for k in n])


def effective(n, beta):
    """Cui et al. 2019: the effective number is 1 + β + ... + β^(n-1)."""
    return to_sum_k([1 / sum(beta**i for i in range(k)) for k in n])


def ce(z, y, n, h):
    return minus_log_softmax(z, y), 1.0


def weighted(z, y, n, h):
    w = sum(n) / (len(n) * n[y])
    return w * minus_log_softmax(z, y), w


def cb(z, y, n, h, beta=0.9999):
    w = effective(n, beta)[y]
    return w * minus_log_softmax(z, y), w


def focal(z, y, n, h, gamma=2.0):
    p = softmax(z)[y]
    return -((1 - p) ** gamma) * math.log(p), 1.0


def cb_focal(z, y, n, h, beta=0.9999, gamma=1.0):
    w = effective(n, beta)[y]
    return w * focal(z, y, n, h, gamma)[0], w


def la(z, y, n, h, tau=1.0):
    others = sum((n[k] / n[y]) ** tau * math.exp(z[k] - z[y]) for k in range(len(z)) if k != y)
    return math.log(1 + others), 1.0


def balanced_softmax(z, y, n, h):
    return -math.log(n[y] * math.exp(z[y]) / sum(n[k] * math.exp(z[k]) for k in range(len(z)))), 1.0


def cdt(z, y, n, h, gamma=0.2):
    a = [(max(n) / k) ** gamma for k in n]
    return minus_log_softmax([z[k] / a[k] for k in range(len(z))], y), 1.0


def vs(z, y, n, h, gamma=0.3, tau=1.0):
    pi = [k / sum(n) for k in n]
    return minus_log_softmax([z[k] * (n[k] / max(n)) ** gamma + tau * math.log(pi[k]) for k in range(len(z))], y), 1.0


def ldam(z, y, n, h, max_m=0.5, s=30.0):
    c = max_m * min(n) ** 0.25
    target = s * (z[y] - c / n[y] ** 0.25)
    return minus_log_softmax([target if k == y else s * z[k] for k in range(len(z))], y), 1.0


def ldam_drw(z, y, n, h, max_m=0.5, s=30.0, beta=0.9999):
    w = effective(n, beta)[y]
    return w * ldam(z, y, n, h, max_m, s)[0], w


def influence(z, y, h, alpha, epsilon):
    p = softmax(z)
    return alpha / (sum(abs(p[k] - (k == y)) for k in range(len(z))) * h + epsilon)


def ib(z, y, n, h, alpha=1000.0, epsilon=1e-3):
    w = inverse(n)[y]
    return w * minus_log_softmax(z, y) * influence(z, y, h, alpha, epsilon), w


def ib_cb(z, y, n, h, alpha=1000.0, epsilon=1e-3, beta=0.9999):
    w = effective(n, beta)[y]
    return w * minus_log_softmax(z, y) * influence(z, y, h, alpha, epsilon), w


def ib_focal(z, y, n, h, alpha=1000.0, epsilon=1e-3, gamma=1.0):
    w = inverse(n)[y]
    v = w * minus_log_softmax(z, y)
    return (1 - math.exp(-v)) ** gamma * v * influence(z, y, h, alpha, epsilon), w


def equalization(z, y, n, h, threshold=0.05, probability=1.0):
    """In evaluation mode: β at its mean."""
    v = [1.0 if k == y else 1 - probability * (n[k] / sum(n) < threshold) for k in range(len(z))]
    return -math.log(math.exp(z[y]) / sum(v[k] * math.exp(z[k]) for k in range(len(z)))), 1.0


BY_NAME = {
    "ce": ce,
    "weighted": weighted,
    "cb": cb,
    "focal": focal,
    "cb-focal": cb_focal,
    "la": la,
    "balanced-softmax": balanced_softmax,
    "cdt": cdt,
    "vs": vs,
    "ldam": ldam,
    "ldam-drw": ldam_drw,
    "ib": ib,
    "ib-cb": ib_cb,
    "ib-focal": ib_focal,
    "equalization": equalization,
}
