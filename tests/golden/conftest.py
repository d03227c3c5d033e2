"""The candidates are run by golden cases, and collected by no one."""

collect_ignore = ["candidates"]
