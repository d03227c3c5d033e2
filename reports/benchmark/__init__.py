"""The benchmark: the figures of the project, each beside its goal."""
