"""Two programs: whether they compute the same function up to rounding, and from which operation on they do not.

tracing      each run from the same numbers, in its own precision and in float64 -> traces, recorded or not
mapping      whose weight is whose: by numbers, by name, by shape and order, or as the user says
alignment    tensors on the way that are the same set of numbers within the allowance of both
location     the first operation from which on nothing is aligned any more, forward or backward
"""
