"""Networks that have a name, one a file, each in a few lines that read like the figure of its paper."""
