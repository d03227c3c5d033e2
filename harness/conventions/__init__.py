"""Conventions: derivatives at kinks and defaults, measured on what is installed."""
