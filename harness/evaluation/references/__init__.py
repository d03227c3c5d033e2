"""References of an operation: derived by the hand rules, measured, or settled by a vote."""
