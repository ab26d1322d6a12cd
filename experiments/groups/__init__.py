"""Losses, models and searches where groups are hidden at prediction: ``python -m experiments.groups``."""
