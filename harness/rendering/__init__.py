"""Rendering: results as text, notebooks, annotations and pages."""
