"""The commands: words of options, typed values, progress. Nothing else knows a flag."""
