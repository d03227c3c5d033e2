"""Checking somebody's backward pass: find the first wrong link, say what is right, given what came before it."""
