"""The plot of a gallery's distances."""

from tests.support.answers import people
from turnstile.web.distances_plot import HEIGHT, WIDTH, plot_of


def test_a_gallery_without_distances_has_no_plot() -> None:
    """One person with one picture."""
    assert plot_of(people()) is None


def test_the_plot_is_told_in_words_too() -> None:
    """Whoever cannot see it reads the ranges and what lies on the wrong side."""
    found = people(own_distances=(0.1, 0.35), other_distances=(0.3, 0.6, 0.7), max_distance=0.31)
    plot = plot_of(found)
    assert plot is not None
    assert plot.words == (
        "Pictures of one person are 0.10 to 0.35 apart. Pictures of two people are 0.30 to 0.70 apart. "
        "The bound is 0.31: 1 of 2 own distances lie beyond it, 1 of 3 between people within."
    )
    for bar in plot.own + plot.others:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT
    assert plot.bound_x is not None


def test_a_distance_at_the_end_of_the_range_has_a_bar() -> None:
    """The largest falls into the last bin."""
    plot = plot_of(people(other_distances=(2.0,)))
    assert plot is not None
    assert len(plot.others) == 1
