"""Surveys of what is installed: how accurate it is, and what it chooses."""
