"""Results: what was found, as records, verdicts and numbers, without a word of how it is drawn."""
