"""Edits: small changes of a syntax tree, as somebody makes them who writes a formula down."""
