"""Implementations as other packages bring them: every process finds them that has their folder on its path."""

from pathlib import Path

HEAD = "import os, signal, sys, time\nfrom pathlib import Path\nfrom impls.hand_numpy import Hand\n"


def put_into(folder: Path, **bodies: str) -> None:
    """Write implementations, each the hand code whose `differentiate` begins with these lines."""
    code = [HEAD]
    for name, body in bodies.items():
        lines = "".join(f"        {line}\n" for line in body.split("\n"))
        code.append(
            f"class {name}(Hand):\n    def differentiate(self, weights, x, y, *, tap=True):\n{lines}"
            f"        return super().differentiate(weights, x, y, tap=tap)\n\n"
        )
    (folder / "foreign_ones.py").write_text("\n".join(code))
    told = folder / "foreign_ones-1.0.dist-info"
    told.mkdir(exist_ok=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-ones\nVersion: 1.0\n")
    points = "\n".join(f"{name} = foreign_ones:{name}" for name in bodies)
    (told / "entry_points.txt").write_text(f"[harness.implementations]\n{points}\n")
