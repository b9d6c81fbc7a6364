"""`python -m benchmarks STUDY`: make a table of the paper."""

import argparse
import sys
from pathlib import Path

from benchmarks import table2
from ossnet.command import run_command
from ossnet.data.sources import SOURCE_HELP
from ossnet.errors import UserError
from ossnet.profile import load_profile

STUDIES = {"table2": table2.run}


def main() -> int:
    """0 when every run has a result, 1 when one failed, 2 for a user's mistake, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--profile", default="laptop", help="laptop, workstation or paper (%(default)s)")
    parser.add_argument("--data", default="glioma", help=f"{SOURCE_HELP} (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder for everything made (%(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="runs at a time (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each run (%(default)s)")
    arguments = parser.parse_args()

    def command() -> int:
        for option in ("workers", "threads"):
            if getattr(arguments, option) < 1:
                raise UserError(f"--{option} {getattr(arguments, option)}: give a whole number above 0")
        study = STUDIES[arguments.study]
        profile = load_profile(arguments.profile)
        complete = study(profile, arguments.data, arguments.results, arguments.workers, arguments.threads)
        print(f"{arguments.results}/tables/{arguments.study}.md")
        return 0 if complete else 1

    return run_command("benchmarks", command)


if __name__ == "__main__":
    sys.exit(main())
