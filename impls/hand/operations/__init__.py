"""Operations of the field by hand on arrays of any shape: what programs are made of that nobody wrote as a network.

Layers of a network have samples along their first axis; these take axes as they come. Each has ``forward``, or a rule
for each output, and ``d<name>`` for what it reads, as layers have.
"""
