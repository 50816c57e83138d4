"""What a tab has seen: whoever comes late gets all of it, whoever was away the rest, and nobody fills the memory."""

import pytest

from deploy.playground import story
from deploy.playground.lanes import LONGEST_TEXT, Lane, Step
from deploy.playground.story import (
    LARGEST_STORY,
    MOST_READERS,
    MOST_SCENES,
    MOST_STEPS,
    Story,
    TooManyReaders,
)


def step(label: str = "link.requested", text: str = "") -> Step:
    return Step(source=Lane.GATEWAY, target=Lane.BUS, kind="event", label=label, text=text)


def names(pieces: list[story.Piece]) -> list[str]:
    return [piece.name for piece in pieces]


def test_reader_gets_what_is_new() -> None:
    """In the order in which it came; a piece that came again once, where it is newest."""
    told = Story()
    scene = told.begin("A title")
    scene.add(step())
    seen = told.after(0)[-1].number
    scene.add(step())
    scene.tell("A sentence.")

    assert ["scene-1", "step-1-1", "step-1-2", "head-1"] == names(told.after(0))
    assert ["step-1-2", "head-1"] == names(told.after(seen))


def test_repeated_poll_replaces_itself() -> None:
    """The second poll that says "not yet" is shown in place of the first, and counted."""
    told = Story()
    scene = told.begin("Sonos asks")
    scene.add(step("first"))
    scene.again()
    scene.add(step("second"))
    scene.tell("Not yet.")
    texts = {piece.name: piece.text for piece in told.after(0)}

    assert ("first" in texts["step-1-1"], "second" in texts["step-1-1"]) == (False, True)
    assert "2 times" in texts["head-1"]


def test_labels_and_texts_cannot_become_markup() -> None:
    """What a content server answers is text."""
    told = Story()
    told.begin("<b>").add(step("<img src=x>", "<script>"))
    html = "".join(piece.text for piece in told.after(0))

    assert [False, False, False] == [bad in html for bad in ("<b>", "<img", "<script")]


def test_old_scenes_make_room() -> None:
    """By number; what comes late for a scene that is gone is not kept, either."""
    told = Story()
    first = told.begin("first")
    for _ in range(MOST_SCENES):
        told.begin("another")
    first.add(step())
    kept = {piece.scene for piece in told.after(0)}

    assert set(range(2, MOST_SCENES + 2)) == kept


def test_scene_has_so_many_steps() -> None:
    """What comes afterwards is left out, and is not told of in other words."""
    told = Story()
    scene = told.begin("long")
    for number in range(1, MOST_STEPS + 2):
        scene.add(step(f"step {number}"))

    assert ["scene-1", *(f"step-1-{number}" for number in range(1, MOST_STEPS + 1))] == names(told.after(0))


def test_text_of_a_step_is_cut() -> None:
    """Where it is longer than anybody reads; one that just fits is whole."""
    told = Story()
    scene = told.begin("long")
    for length in (LONGEST_TEXT, LONGEST_TEXT + 1):
        scene.add(step(text="x" * length))
    _, whole, cut = (piece.text for piece in told.after(0))

    assert ("x" * LONGEST_TEXT) + "</pre>" in whole
    assert ("x" * LONGEST_TEXT) + "\n…</pre>" in cut


@pytest.mark.parametrize("scenes", [1, MOST_SCENES])
def test_story_stays_small(scenes: int) -> None:
    """Whatever is in it: older scenes make room, and then older steps; where it ends is always there."""
    told = Story()
    for _ in range(scenes):
        scene = told.begin("long")
        for _ in range(MOST_STEPS):
            scene.add(step("&" * LONGEST_TEXT, text="&" * LONGEST_TEXT))
            assert sum(len(piece.text) for piece in told.after(0)) <= LARGEST_STORY
    scene.tell("The end.")
    kept = names(told.after(0))

    assert [f"step-{scenes}-{MOST_STEPS}", f"head-{scenes}"] == kept[-2:]
    assert f"scene-{scenes}" in kept


def test_state_is_told_when_it_changes() -> None:
    """Not again and again to tabs for which nothing has changed."""
    told = Story()
    told.state({"broken": False})
    told.state({"broken": False})
    seen = told.after(0)
    told.state({"broken": True})

    assert (["state"], ["state"]) == (names(seen), names(told.after(seen[0].number)))


async def test_readers_are_bounded_and_woken() -> None:
    """One too many is refused, and all hear of news and of the end."""
    told = Story()
    contexts = [told.reading() for _ in range(MOST_READERS)]
    readers = [await context.__aenter__() for context in contexts]
    with pytest.raises(TooManyReaders):
        async with told.reading():
            pass
    told.end()

    assert all(reader.is_set() for reader in readers)
    for context in contexts:
        await context.__aexit__(None, None, None)
    assert not told.has_readers
