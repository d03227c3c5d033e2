"""What is expected of a pass: values with bounds, true values, and what follows from a part of it alone."""
