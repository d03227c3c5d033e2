"""Other right forms of the links: the same function, written as textbooks do, with the rounding that this costs."""
