"""Bi-level search for training losses."""
