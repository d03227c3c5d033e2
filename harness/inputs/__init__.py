"""What a pass is taken of: networks, data, batches, the schedule of a run, drawn cases of an operation."""
