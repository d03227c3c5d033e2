"""Operations: a single operation with its own backward, checked against a hand layer or a differentiable function."""
