"""`python -m paper_figures FIGURE STEM [RECORDS]`: draw a figure, as STEM.pdf and STEM.png."""

import argparse
import sys
from pathlib import Path

from ossnet.data.glioma import GliomaConfig, glioma_case
from ossnet.data.liver import LiverConfig, liver_case
from ossnet.errors import UserError
from paper_figures import cases, segmentations, style


def main() -> int:
    """0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m paper_figures", description=__doc__)
    parser.add_argument("figure", choices=["segmentations", "cases"])
    parser.add_argument("stem", type=Path, help="the files to write, without their ending")
    parser.add_argument("records", type=Path, nargs="?", help="what a study left for the figure segmentations")
    arguments = parser.parse_args()
    try:
        if arguments.figure == "cases":
            gliomas = [glioma_case(GliomaConfig(shape=(240, 240, 155)), index) for index in range(2)]
            livers = [liver_case(LiverConfig(shape=(160, 160, 160)), index) for index in range(2)]
            figure = cases.draw(gliomas, livers)
        else:
            if arguments.records is None:
                raise UserError("the figure segmentations needs the records of a study; give its .npz file")
            figure = segmentations.draw(segmentations.load(arguments.records))
        style.save(figure, arguments.stem)
    except UserError as error:
        print(f"paper_figures: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{arguments.stem}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
