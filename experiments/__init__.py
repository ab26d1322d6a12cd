"""Comparisons and paper tables. They import the package, never the other way round."""
