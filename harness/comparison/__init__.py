"""Comparison: is an array inside the bound of what is expected of it?"""
