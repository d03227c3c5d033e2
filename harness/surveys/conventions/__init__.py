"""What implementations do where mathematics leaves a choice: kinks, ties, singular points, defaults."""
