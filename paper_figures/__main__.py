"""`python -m paper_figures segmentations CASE.npz STEM`: draw a figure from records, as STEM.pdf and STEM.png."""

import argparse
import sys
from pathlib import Path

from ossnet.errors import UserError
from paper_figures import segmentations, style


def main() -> int:
    """0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m paper_figures", description=__doc__)
    parser.add_argument("figure", choices=["segmentations"])
    parser.add_argument("records", type=Path, help="what a study left for the figure")
    parser.add_argument("stem", type=Path, help="the files to write, without their ending")
    arguments = parser.parse_args()
    try:
        style.save(segmentations.draw(segmentations.load(arguments.records)), arguments.stem)
    except UserError as error:
        print(f"paper_figures: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{arguments.stem}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
