"""Chains: forward passes with names, and their gradients by hand."""
