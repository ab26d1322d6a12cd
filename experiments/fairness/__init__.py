"""The trade-off between error and fairness: losses searched for blends of both, beside fixed losses for groups."""
