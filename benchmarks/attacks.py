"""Attacks against a running site: what each one gained, and what the others noticed of it.

A real broker with keys on loopback and honest nodes, see `tests.support.attacks.attacked_site`. The attackers
have keys of their own. Nothing may come of it: nobody hears anything that no honest node said and no key
allows, and the attacker nothing that is not its own.

    python -m benchmarks.attacks [--only WORD] [--quick] [--json FILE]
"""

import sys
from collections.abc import Sequence

from benchmarks.report import Report, parser
from tests.support.attacks.attacked_site import CAMERAS, FPS, FRAME_BYTES, AttackedSite
from tests.support.attacks.catalogue import ATTACKS, gained


def main(argv: Sequence[str] | None = None) -> int:
    """Try every attack and print the table; return 1 when something came of one."""
    made = parser(__doc__)
    made.add_argument("--only", default="", metavar="WORD", help="only attacks with this in their names")
    options = made.parse_args(argv)
    report = Report("attacks", options)
    spans_s = (1.0, 2.0, 1.5) if options.quick else (4.0, 6.0, 4.0)
    with AttackedSite() as attacked:
        attacks = {name: attack for name, attack in ATTACKS.items() if options.only in name}
        outcomes = [attacked.attempt(name, attack, spans_s) for name, attack in attacks.items()]
    report.table(
        f"{len(CAMERAS)} honest cameras at {FPS:g} fps of {FRAME_BYTES:,} bytes; attacks of {spans_s[1]:g} s",
        (
            *("attack", "tries", "gained", "refused", "frames/s before", "during", "after"),
            *("frames' age p95 before, ms", "during", "after"),
            *("results' age p95 before, ms", "during", "after"),
            *("broker's memory grew, MB", "broker"),
        ),
        [
            [
                *(one.attack, one.tries, ", ".join(gained(one)) or "nothing", one.refused),
                *(phase.frames_per_s for phase in one.phases),
                *(phase.frame_age_p95_ms for phase in one.phases),
                *(phase.result_age_p95_ms for phase in one.phases),
                *(one.memory_mb, "alive" if one.alive else "dead"),
            ]
            for one in outcomes
        ],
    )
    report.note(
        "Frames and results are those of the honest cameras; ages are of when the display hears them, since "
        "the camera took the frame. Attackers share the machine with everybody, and yield to them."
    )
    return report.finish() or int(any(gained(one) or not one.alive for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
