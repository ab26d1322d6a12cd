"""What is compared: fixed losses, what can be done around any of them, a loss from a file, and the search itself."""

from experiments.methods._method import Job as Job
from experiments.methods._method import Method as Method
from experiments.methods._parse import parse_methods as parse_methods

__all__ = ["Job", "Method", "parse_methods"]
