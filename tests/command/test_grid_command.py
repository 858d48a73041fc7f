"""`grid` and `remake`."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, run

pytestmark = pytest.mark.usefixtures("folder")


def test_a_grid_has_every_combination_and_a_stimulus_can_be_made_again():
    factors = "--ratios", "0.1,1", "--layers", "1,conv2_1", "--seeds", "0,3"
    status, out, _ = run(
        "grid", "--content", "photo.png", "--style", "painting.png", *factors, *QUICK[:-2], "-o", "grid"
    )
    assert status == 0 and "8 of 8" in out and "sheet: grid/sheet-photo.png" in out
    records = json.loads(Path("grid/manifest.json").read_text())["panels"]
    assert len({record["picture_sha256"] for record in records}) == 8
    name = records[5]["name"]
    status, out, _ = run("remake", "grid/manifest.json", name, "-o", "again.png")
    assert status == 0 and f"the same as {name}, bit for bit" in out
    assert Path("again.png").read_bytes() == Path(f"grid/panels/{name}.png").read_bytes()


def test_a_stimulus_that_comes_out_otherwise_is_status_1_and_says_what_changed():
    run("figure", "2", "photo.png", "painting.png", *QUICK)
    path = Path("figure2/panels/painting.json")
    record = json.loads(path.read_text())
    record["picture_sha256"] = "0" * 64
    record["software"]["numpy"] = "1.0"
    path.write_text(json.dumps(record))
    status, out, _ = run("remake", path, "-o", "again.png")
    assert status == 1 and "NOT the same as painting" in out
    assert f"numpy: 1.0 then, {np.__version__} now" in out.splitlines()
    assert Path("again.png").is_file()
