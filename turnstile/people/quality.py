"""Whether an enrolment picture is weak, and in what: by numbers alone, for whoever is to take a better one.

Source: 2,012 pictures of the 804 people of LFW's development pairs (deep-funneled, at most four each) who
have two or more, encoded by ``paddings``; the person's other pictures stand for frames (``mirror``), at a
limit of 0.33; November 2026. Lowest and highest share rejected of the six halves of three splits by people:

- 15 to 19 % by a picture that is not weak, 32 to 46 % by one that is weak by `BOUNDS` (5 % of all);
- cut-outs that differ 43 to 68 %, turned 27 to 61 %, tilted 26 to 56 %, light from one side 4 to 42 %.

`benchmarks.picture_quality` prints these and the figures for two pictures; the copies below it does not make.

The bounds were chosen on all of these pictures, so that is a description, not a promise. Of 134 copies made
worse, blurred ones (sigma of 3 px in a face of 111) reject 60 %, overexposed 71 %, flat 34 %, dark 23 %.

**A weak picture beside a good one helps more than it harms.** Both together reject 10 to 15 %, the good one
alone 11 to 28 %. So weak pictures are named and used. Where a person has others, three kinds are left out,
because more are rejected with them than without:

- cut-outs that differ: 13.7 % with them, 10.5 % without, 62 cases;
- much overexposed ones: 17 and 11 %, 44 copies;
- smeared ones: 27 and 11 %, 44 copies.

No number here finds a covered mouth: of 134 copies with a hand or a mask drawn over it, 6 and 8 % are weak.
Where a person has other pictures, the distance to these tells.
"""

from typing import NamedTuple

from turnstile.protocol.fields import Looks

ENOUGH_PICTURES = 3
"""Of 20 clips of five people, windows of 15 frames, own ones are accepted .87 with one picture and .97 with
three, where 1 % of the others' are (2026-11)."""

FAR_FROM_OTHERS = 0.32
"""Distance to the mean of the person's other pictures. Farther ones, taken alone, reject half (76 cases)."""


class PictureBounds(NamedTuple):
    """Beyond these a picture is weak, or spoils the mean of several."""

    min_width_px: float = 60
    """Unmeasured."""
    min_sharpness: float = 20
    min_sharpness_to_use: float = 6
    min_brightness: float = 40
    max_brightness: float = 215
    min_contrast: float = 12
    max_side_light: float = 0.65
    max_turn: float = 0.34
    min_nod: float = 0.51
    max_nod: float = 1.05
    max_spread: float = 0.116


BOUNDS = PictureBounds()


class Weakness(NamedTuple):
    """What is wrong with a picture."""

    words: str
    spoils: bool = False
    """Left out where the person has a better one."""


def weaknesses(looks: Looks | None) -> list[Weakness]:
    """Return what is wrong with a picture; nothing of one whose looks are not known."""
    if looks is None:
        return []
    at = BOUNDS
    flat = looks.contrast < at.min_contrast
    blurred = looks.sharpness < at.min_sharpness and not flat  # a flat face has no edges to tell by
    found = (
        (looks.width_px < at.min_width_px, Weakness(f"the face is small: {looks.width_px} px wide")),
        (blurred, Weakness("it is blurred", spoils=looks.sharpness < at.min_sharpness_to_use)),
        (looks.brightness < at.min_brightness, Weakness("it is dark")),
        (looks.brightness > at.max_brightness, Weakness("it is overexposed", spoils=True)),
        (flat, Weakness("it has little contrast")),
        (looks.side_light > at.max_side_light, Weakness("the light comes from one side")),
        (looks.turn > at.max_turn, Weakness("the head is turned to one side")),
        (looks.nod < at.min_nod, Weakness("the head is tilted up")),
        (looks.nod > at.max_nod, Weakness("the head is tilted down")),
        (looks.spread > at.max_spread, Weakness("part of the face may be covered or cut off", spoils=True)),
    )
    return [weakness for is_so, weakness in found if is_so]


def in_words(found: list[Weakness]) -> str:
    """Return what is wrong as one phrase; empty if nothing is."""
    return "; ".join(one.words for one in found)


def spoils(looks: Looks | None) -> bool:
    """Tell whether a picture is better left out beside another one."""
    return any(one.spoils for one in weaknesses(looks))
