"""A picture made again from its record: pictures in all roles are found, whatever made them."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import sentence
from PIL import Image

from ministyle import Job, Settings, Style
from ministyle.jobs.record import by_role, describe_inputs, in_order, outcome, plan_picture, read_record
from ministyle.jobs.remaking import Remake
from ministyle.pictures.writing import write_picture

pytestmark = pytest.mark.usefixtures("folder")

SETTINGS = Settings(image_size=32, iterations=1, style_layers=("conv1_1",), device="cpu")


def make(settings, sources, styles, **options):
    """Make a picture and write it with its record to out.png; return its pixels."""
    result = Job.of(settings, "photo.png", styles, **options).run()
    plan = plan_picture(result.settings, describe_inputs(sources), size=None)
    record = {**plan, **outcome(result.history[-1], result.settings, message=result.message)}
    write_picture("out.png", result.pixels, record=record)
    return result.pixels


def write_masks():
    mask = np.zeros((36, 48), np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save("left.png")
    Image.fromarray(np.tile(np.uint8([[255] * 16 + [0] * 16]), (40, 1))).save("half.png")


def test_several_paintings_and_masks_keep_their_places():
    write_masks()
    sources = {
        "content": "photo.png",
        **by_role("style", ["start.png", "painting.png"]),
        **by_role("style mask", [None, "half.png"]),
        "content mask": "left.png",
    }
    assert list(sources) == ["content", "style 1", "style 2", "style mask 2", "content mask"]
    styles = [Style("start.png"), Style("painting.png", mask="half.png")]
    settings = replace(SETTINGS, style_blend=(1.0, 0.5))
    pixels = make(settings, sources, styles, content_mask="left.png")
    result, record = Remake.of("out.png", sources).run()
    assert np.array_equal(result.pixels, pixels)
    assert record["inputs"]["style mask 2"]["sha256"] != record["inputs"]["content mask"]["sha256"]
    swapped = {**sources, "style 1": "painting.png", "style 2": "start.png"}
    assert "'painting.png' is not the style 1 picture" in sentence(Remake.of, "out.png", swapped)
    del sources["style mask 2"]
    assert "say which one, with --style-mask" in sentence(Remake.of, "out.png", sources)


def test_the_number_of_a_role_is_its_place_and_not_its_spelling():
    sources = by_role("style", [f"{number}.png" for number in range(1, 12)])
    assert list(in_order("style", dict(sorted(sources.items()))).values()) == list(sources.values())
    assert in_order("style", {"style mask 1": "a", "content": "b"}) == {}
    assert by_role("style", ["a"]) == {"style": "a"} and by_role("style", []) == {}


def test_a_start_that_a_record_names_only_among_the_settings_is_not_read():
    """A record says which files were used by role and hash; elsewhere it could name any file of yours."""
    sources = {"content": "photo.png", "style": "painting.png"}
    make(SETTINGS, sources, "painting.png")
    record = read_record("out.png")
    record["settings"]["init"] = "start.png"
    write_picture("out.png", np.zeros((4, 4, 3)), overwrite=True, record=record)
    assert "names no picture to start from" in sentence(Remake.of, "out.png", sources)


def test_an_unfinished_remake_is_no_result(monkeypatch):
    sources = {"content": "photo.png", "style": "painting.png"}
    make(SETTINGS, sources, "painting.png")
    again = Remake.of("out.png", sources)

    def interrupt(step, pixels):
        raise KeyboardInterrupt

    for ending in (interrupt, lambda step, pixels: True):  # Ctrl-C, and whoever watches
        with pytest.raises(KeyboardInterrupt):
            again.run(ending)
    result = replace(again.job.run(), completed=False, message="the loss became infinite")
    monkeypatch.setattr(Job, "run", lambda self, on_step=None: result)
    assert "the loss became infinite" in sentence(again.run)
