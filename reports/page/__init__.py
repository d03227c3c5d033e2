"""One page about one result: a file that asks for nothing else, made from a `Run` or a `Check`."""
