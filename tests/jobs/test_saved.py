"""A picture saved from Python carries the record that the command writes, and is made again from it, bit for bit."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import pixels_of
from PIL import Image

import ministyle
from ministyle import Checkpoint, Job, Settings, Style
from ministyle.command import main
from ministyle.jobs.record import read_record
from ministyle.jobs.remaking import Remake

pytestmark = pytest.mark.usefixtures("folder")

SMALL = {"image_size": 32, "iterations": 1, "style_layers": ("conv1_1",), "device": "cpu"}
FLAGS = ("--image-size", "32", "--iterations", "1", "--style-layers", "conv1_1", "--device", "cpu")
SETTINGS = Settings(**SMALL)


@pytest.fixture
def masks():
    """Masks of the photograph, left.png and right.png, and of the painting, half.png."""
    left = np.zeros((36, 48), np.uint8)
    left[:, :20] = 255
    Image.fromarray(left).save("left.png")
    Image.fromarray(255 - left).save("right.png")
    Image.fromarray(np.tile(np.uint8([[255] * 16 + [0] * 16]), (40, 1))).save("half.png")


def saved(result):
    """Save a result and return the record in its file, without what another process may do otherwise."""
    result.save("out.png", overwrite=True)
    return comparable("out.png")


def comparable(path):
    record = read_record(path)
    return {part: value for part, value in record.items() if part not in ("blas_threads", "software")}


def made_by(*command):
    """Run a command and return the record in the picture that it writes."""
    assert main([*command, *FLAGS, "-o", "commanded.png"]) == 0
    return comparable("commanded.png")


# As the command writes it --------------------------------------------------------------------------------


def test_the_record_is_that_of_the_command():
    command = made_by("transfer", "photo.png", "painting.png", "--no-exif")
    assert saved(ministyle.transfer("photo.png", "painting.png", **SMALL)) == command
    [result] = ministyle.transfer_all(["photo.png"], "painting.png", **SMALL)
    assert saved(result) == command


def test_the_record_of_many_pictures_in_all_roles_is_that_of_the_command(masks):
    command = ["transfer", "photo.png", "start.png", "painting.png", "--no-exif", "--init", "start.png"]
    command += ["--content-mask", "left.png", "--content-mask", "right.png", "--style-blend", "2,1"]
    command += ["--style-mask", "none", "--style-mask", "half.png"]
    styles = ["start.png", Style("painting.png", mask="half.png")]
    settings = {**SMALL, "init": "start.png", "style_blend": (2, 1)}
    result = ministyle.transfer("photo.png", styles, content_mask=["left.png", "right.png"], **settings)
    assert saved(result) == made_by(*command)
    assert len(result.record["inputs"]) == 7


def test_the_record_of_a_reconstruction_is_that_of_the_command():
    settings = {name: value for name, value in SMALL.items() if name != "style_layers"}
    command = ["texture", "painting.png", "--layers", "conv1_1", "--output-size", "48x32", "--tileable"]
    command += ["--image-size", "32", "--iterations", "1", "--device", "cpu", "-o", "commanded.png"]
    assert main(command) == 0
    made = ministyle.reconstruct_style("painting.png", "conv1_1", size=(32, 48), tileable=True, **settings)
    assert saved(made) == comparable("commanded.png")
    command = ["content", "photo.png", "--layer", "conv2_1", "--no-exif", *command[-8:], "--overwrite"]
    assert main(command) == 0
    assert saved(ministyle.reconstruct_content("photo.png", "conv2_1", **settings)) == comparable("commanded.png")


def test_the_photograph_s_opacity_is_recorded_as_the_mask():
    photo = Image.open("photo.png").convert("RGBA")
    photo.paste((0, 0, 0, 0), (0, 0, 24, 36))
    photo.save("photo.png")
    command = made_by("transfer", "photo.png", "painting.png", "--no-exif", "--content-mask", "alpha")
    assert saved(ministyle.transfer("photo.png", "painting.png", content_mask="alpha", **SMALL)) == command
    assert command["content_mask"] == "alpha"


# Made again ----------------------------------------------------------------------------------------------


def test_the_command_makes_it_again(capsys):
    result = ministyle.transfer("photo.png", "painting.png", **SMALL)
    result.save("out.png")
    assert main(["remake", "out.png", "--content", "photo.png", "--style", "painting.png", "-o", "again.png"]) == 0
    assert "the same as out.png, bit for bit" in capsys.readouterr().out
    assert np.array_equal(pixels_of("again.png"), np.rint(result.pixels))
    assert main(["info", "out.png"]) == 0
    assert "transfer CONTENT STYLE --image-size 32" in capsys.readouterr().out


def again(result, sources):
    """Save a result and make it again from its record."""
    result.save("out.png", overwrite=True)
    return Remake.of("out.png", sources).run()[0]


PAINTINGS = {"content": "photo.png", "style 1": "start.png", "style 2": "painting.png"}


@pytest.mark.parametrize(
    ("styles", "masks_given"),
    [
        ((Style("start.png", weight=3), Style("painting.png", scale=0.7)), {}),
        ((Style("start.png", region="left.png"), Style("painting.png", region="right.png")), {1: "left", 2: "right"}),
        ((Style("start.png"), Style("painting.png", region="right.png")), {2: "right"}),
        ((Style("start.png", region="left.png"), "painting.png"), {1: "left"}),
    ],
    ids=["weight and scale", "regions", "a region of the second", "a region of the first"],
)
def test_what_a_style_has_of_its_own_is_in_the_record(styles, masks_given, masks):
    settings = replace(SETTINGS, style_blend=(0.3, 1.7), style_scale=(0.9, 1.1))
    result = Job.of(settings, "photo.png", styles).run()
    assert result.settings == settings
    plain = Job.of(settings, "photo.png", ["start.png", "painting.png"]).run()
    assert not np.array_equal(result.pixels, plain.pixels)
    sources = {**PAINTINGS, **{f"content mask {number}": f"{name}.png" for number, name in masks_given.items()}}
    assert list(result.record["inputs"]) == list(sources)
    assert np.array_equal(again(result, sources).pixels, result.pixels)


def test_one_style_in_its_region_is_made_again(masks):
    result = Job.of(SETTINGS, "photo.png", Style("painting.png", region="left.png")).run()
    sources = {"content": "photo.png", "style": "painting.png", "content mask": "left.png"}
    assert np.array_equal(again(result, sources).pixels, result.pixels)


def test_opacity_beside_another_mask_is_no_file_and_may_be_given_as_one(masks):
    photo = Image.open("photo.png").convert("RGBA")
    photo.putalpha(Image.open("left.png"))
    photo.save("photo.png")
    result = Job.of(SETTINGS, "photo.png", ["start.png", "painting.png"], content_mask=["alpha", "right.png"]).run()
    assert result.record["inputs"]["content mask 1"] == {"sha256": None}
    sources = {**PAINTINGS, "content mask 1": "left.png", "content mask 2": "right.png"}
    assert np.array_equal(again(result, sources).pixels, result.pixels)


# What it was made from -----------------------------------------------------------------------------------


def test_bytes_and_open_files_count_as_their_file_and_what_was_no_file_has_no_hash():
    data = Path("painting.png").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    for source, expected in [
        (data, digest),
        (io.BytesIO(data), digest),
        (Image.open("painting.png"), None),
        (pixels_of("painting.png"), None),
    ]:
        result = Job.of(SETTINGS, "photo.png", source).run()
        assert result.record["inputs"]["style"] == {"sha256": expected}
        sources = {"content": "photo.png", "style": "painting.png"}
        assert np.array_equal(again(result, sources).pixels, result.pixels)


def test_an_open_pipe_is_read_once_and_has_no_hash():
    program = """if True:
        import sys, ministyle
        job = ministyle.Job.of(ministyle.Settings(image_size=32), sys.stdin.buffer, "painting.png")
        print(job.photograph.shape, job.origin.inputs["content"])
    """
    done = subprocess.run(
        [sys.executable, "-c", program], input=Path("photo.png").read_bytes(), capture_output=True, check=True
    )
    assert done.stdout.decode().split("\n")[0] == "(24, 32, 3) {'sha256': None}"


def test_a_record_tells_what_the_files_were_when_they_were_read():
    job = Job.of(SETTINGS, "photo.png", "painting.png")
    digest = hashlib.sha256(Path("photo.png").read_bytes()).hexdigest()
    Path("photo.png").write_bytes(Path("start.png").read_bytes())
    assert saved(job.run())["inputs"]["content"] == {"sha256": digest}


def test_it_names_no_file():
    result = ministyle.transfer("photo.png", "painting.png", init="start.png", **SMALL)
    result.save("out.png")
    text = json.dumps(read_record("out.png"))
    assert not any(name in text for name in ("photo.png", "start.png", "painting.png", str(Path.cwd())))


# On the way ----------------------------------------------------------------------------------------------


def stop(step, pixels):
    return True


def fail(step, pixels):
    raise RuntimeError


def test_a_picture_of_a_run_that_was_stopped_or_failed_is_unfinished():
    job = Job.of(SETTINGS, "photo.png", "painting.png")
    with pytest.raises(RuntimeError) as caught:
        job.run(fail)
    for result in (job.run(stop), caught.value.result):
        assert saved(result)["unfinished"] is True
    assert "unfinished" not in saved(job.run())


def test_a_run_goes_on_wherever_its_pictures_come_from():
    checkpoint = Checkpoint("out.checkpoint")
    Job.of(SETTINGS, "photo.png", "painting.png").run(stop, checkpoint=checkpoint)
    job = Job.of(SETTINGS, pixels_of("photo.png"), "painting.png")
    record = saved(job.run(checkpoint=checkpoint, begin=checkpoint.read(job)))
    assert record["inputs"]["content"] == {"sha256": None} and record["iterations"] == 1


def test_a_job_that_was_made_directly_has_no_record():
    job = Job.of(SETTINGS, "photo.png", "painting.png")
    result = Job(job.settings, job.photograph, job.styles, job.size).run()
    assert result.record is None
    result.save("out.png")
    with Image.open("out.png") as picture:
        assert "ministyle" not in picture.text


def test_results_are_compared_without_their_records():
    result = ministyle.transfer("photo.png", "painting.png", **SMALL)
    without = replace(result, record=None)
    assert without == result and hash(without) == hash(result)


def run(job):
    return job.run()


@pytest.mark.slow
def test_a_job_done_in_another_process_has_its_record():
    with open("photo.png", "rb") as photo:
        job = Job.of(SETTINGS, photo, "painting.png")
    with ProcessPoolExecutor(1) as executor:
        away = executor.submit(run, job).result()
    assert saved(away) == saved(job.run())
    assert pickle.loads(pickle.dumps(away)).record == away.record


def test_formats_that_hold_no_record_go_without():
    result = ministyle.transfer("photo.png", "painting.png", **SMALL)
    result.save("out.bmp")
    assert np.array_equal(pixels_of("out.bmp"), np.rint(result.pixels))
