"""Optimizers written otherwise: other right forms of an update, and mistakes, each as the rules that make it."""
