"""A page gets the newest picture of a door when it is ready for it, and words as they change."""

from turnstile.web.live.credits import CALM_S, DoorNews, Due, PageCredits

A, B = "a", "b"


def send_next(page: PageCredits, news: dict[str, DoorNews], now_s: float) -> Due | None:
    """Return what is due, as sent."""
    due = page.next(news, now_s)
    if due is not None:
        page.sent(due, news[due.camera], now_s)
    return due


def test_a_page_gets_one_picture_for_each_time_that_it_is_ready() -> None:
    """However many came meanwhile: the newest counts."""
    page, news = PageCredits(doors=frozenset({A})), {A: DoorNews(pictures=1)}
    page.watch({A: "all"})
    assert send_next(page, news, 0.0) == Due(A, with_picture=True)
    news[A].pictures = 9
    assert send_next(page, news, 0.1) is None
    page.ready([A])
    assert send_next(page, news, 0.2) == Due(A, with_picture=True)
    page.ready([A])
    assert send_next(page, news, 0.3) is None


def test_doors_out_of_view_ask_for_nothing() -> None:
    """But what is said of them is told: lists and screen readers have it."""
    page, news = PageCredits(doors=frozenset({A})), {A: DoorNews(pictures=1)}
    page.watch({A: "all"})
    page.watch({})
    page.ready([A])
    assert send_next(page, news, 0.0) == Due(A, with_picture=False)
    news[A] = DoorNews(pictures=2, marks=5)
    assert send_next(page, news, 0.1) is None
    news[A].words += 1
    assert send_next(page, news, 0.2) == Due(A, with_picture=False)


def test_a_picture_that_is_not_kept_is_not_due() -> None:
    """It is of a time when somebody else looked; the next one is."""
    page, news = PageCredits(doors=frozenset({A})), {A: DoorNews(pictures=5, is_kept=False)}
    page.watch({A: "all"})
    assert page.in_view == {A}
    assert send_next(page, news, 0.0) == Due(A, with_picture=False)
    news[A] = DoorNews(pictures=6)
    assert send_next(page, news, 0.1) == Due(A, with_picture=True)


def test_calm_doors_are_shown_once_a_second() -> None:
    """Until somebody comes, whose picture is due at once."""
    page, news = PageCredits(doors=frozenset({A})), {A: DoorNews(pictures=1, calm=True)}
    page.watch({A: "calm"})
    assert send_next(page, news, 0.0) == Due(A, with_picture=True)
    page.ready([A])
    news[A].pictures = 2
    assert send_next(page, news, CALM_S / 2) is None
    news[A].calm = False
    assert send_next(page, news, CALM_S / 2) == Due(A, with_picture=True)
    page.ready([A])
    news[A] = DoorNews(pictures=3, calm=True)
    assert send_next(page, news, 2 * CALM_S) == Due(A, with_picture=True)


def test_a_tablet_shows_a_calm_door_as_a_mirror_does() -> None:
    """Every picture that it is ready for."""
    page, news = PageCredits(doors=frozenset({A})), {A: DoorNews(pictures=1, calm=True)}
    page.watch({A: "all"})
    assert send_next(page, news, 0.0) == Due(A, with_picture=True)
    page.ready([A])
    news[A].pictures = 2
    assert send_next(page, news, 0.1) == Due(A, with_picture=True)


def test_the_door_that_waited_longest_comes_first() -> None:
    """A fast camera does not keep a slow one from the page."""
    page, news = PageCredits(doors=frozenset({A, B})), {A: DoorNews(pictures=1), B: DoorNews(pictures=1)}
    page.watch({A: "all", B: "all"})
    first, second = send_next(page, news, 0.0), send_next(page, news, 0.1)
    assert first is not None
    assert second is not None
    assert {first.camera, second.camera} == {A, B}
    page.ready([A, B])
    news[A].pictures = news[B].pictures = 2
    third = send_next(page, news, 0.2)
    assert third is not None
    assert third.camera == first.camera


def test_doors_of_others_are_not_shown() -> None:
    """Whatever the page asks for."""
    page, news = PageCredits(doors=frozenset({A})), {A: DoorNews(), B: DoorNews(pictures=1, words=1)}
    page.watch({B: "all"})
    page.ready([B])
    assert send_next(page, news, 0.0) == Due(A, with_picture=False)
    assert send_next(page, news, 0.0) is None
