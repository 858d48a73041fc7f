"""Bad input ends with one sentence, status 2 and no file."""

import os
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import SHIPPED, SMALL, TOO_LONG, TRANSFER, contents, run
from PIL import Image


def not_ours():
    with h5py.File("other.h5", "w") as file:
        file["numbers"] = np.arange(3)


BAD_RUNS = {
    "photograph missing": (("transfer", "missing.png", "painting.png"), "'missing.png'"),
    "painting missing": (("transfer", "photo.png", "missing.png"), "'missing.png'"),
    "name of two lines": (("transfer", "no\nsuch.png", "painting.png"), "'no such.png'"),
    "name too long": (("transfer", "photo.png", TOO_LONG, "-o", "out.png"), "cannot be read"),
    "folder": (("transfer", "photo.png", "sub"), "'sub' is a folder"),
    "flag misspelt": ((*TRANSFER, "--stength", "0.5"), "no flag --stength; did you mean --strength?"),
    "flag misspelt, with its value": ((*TRANSFER, "--iteratons=5"), "no flag --iteratons; did you mean --iterations?"),
    "command misspelt": (("tranfer", "photo.png", "painting.png"), "did you mean transfer?"),
    "choice misspelt": ((*TRANSFER, "--pooling", "averge"), "did you mean average?"),
    "start": ((*TRANSFER, "--init", "random"), "'random') must be noise, content, style or a picture"),
    "address": (("transfer", "https://example.org/a.jpg", "painting.png"), "'https://example.org/a.jpg' is an address"),
    "text": (("transfer", "text.jpg", "painting.png"), "'text.jpg' is not a picture"),
    "empty": (("transfer", "photo.png", "empty.png"), "'empty.png' is empty"),
    "truncated": (("transfer", "half.png", "painting.png"), "'half.png' is damaged"),
    "too thin": (("transfer", "thin.png", "painting.png", *SMALL), "too small"),
    "layer unknown": ((*TRANSFER, "--content-layers", "conv9_9"), "'conv9_9'"),
    "layer not in the weights": ((*TRANSFER, "--style-layers", "conv5_2"), "weights import FILE --dtype float32"),
    "layer twice": ((*TRANSFER, "--style-layers", "conv1_1,relu1_1"), "twice"),
    "no layer": ((*TRANSFER, "--content-layers", ""), "content_layers"),
    "weights too few": ((*TRANSFER, "--style-layer-weights", "1,2"), "2 numbers for 5 style layers"),
    "weights no numbers": ((*TRANSFER, "--style-layer-weights", "1,x"), "'1,x'"),
    "weights negative": ((*TRANSFER, "--style-layer-weights", "1,2,3,4,-5"), "style_layer_weights (=-5.0)"),
    "weights nan": ((*TRANSFER, "--style-layer-weights", "1,2,3,4,nan"), "style_layer_weights (=nan)"),
    "nan": ((*TRANSFER, "--content-weight", "nan"), "content_weight (=nan)"),
    "infinity": ((*TRANSFER, "--style-weight", "inf"), "style_weight (=inf)"),
    "overflow": ((*TRANSFER, "--style-weight", "1e308"), "not finite"),
    "negative": ((*TRANSFER, "--tv-weight", "-1"), "tv_weight (=-1.0)"),
    "no number": ((*TRANSFER, "--style-weight", "much"), "'much'"),
    "no iterations": ((*TRANSFER, "--iterations", "0"), "iterations (=0)"),
    "too small": (("transfer", "photo.png", "painting.png", "--image-size", "1"), "image_size (=1)"),
    "too large": ((*TRANSFER, "--image-size", "100000000000"), "image_size (=100000000000)"),
    "history too long": ((*TRANSFER, "--history-size", "1000000000"), "history_size (=1000000000)"),
    "memory in words": ((*TRANSFER, "--max-memory", "much"), "'much'"),
    "memory 0": ((*TRANSFER, "--max-memory", "0MB"), "max_memory (=0.0)"),
    "memory too little": ((*TRANSFER, "--max-memory", "100MB"), "max_memory (=0.1 GB) is too little for 32 x 24"),
    "no whole number": ((*TRANSFER, "--iterations", "1.5"), "'1.5'"),
    "no choice": ((*TRANSFER, "--pooling", "median"), "'median'"),
    "preset unknown": ((*TRANSFER, "--preset", "mine"), "'mine'"),
    "flag unknown": ((*TRANSFER, "--colour"), "--colour"),
    "flag abbreviated": ((*TRANSFER, "--iter", "3"), "--iter"),
    "command unknown": (("paint",), "'paint'"),
    "no command": ((), "COMMAND"),
    "no pictures": (("transfer",), "content, style"),
    "every 0": ((*TRANSFER, "--save-every", "0"), "'0'"),
    "every -1": ((*TRANSFER, "--print-every", "-1"), "'-1'"),
    "every word": ((*TRANSFER, "--print-every", "often"), "'often'"),
    "every, of many digits": ((*TRANSFER, "--save-every", 5000 * "9"), "at most 9 digits"),
    "iterations of many digits": ((*TRANSFER, "--iterations", 5000 * "9"), "iterations"),
    "texture, enormous": (("texture", "painting.png", "--output-size", 400 * "9"), "at most 9 digits"),
    "texture, too large for any number": (
        ("texture", "painting.png", "--output-size", 9 * "9"),
        "whole numbers from 1 to 65500",
    ),
    "compare, enormous": (("compare", "photo.png", "photo.png", "--image-size", 400 * "9"), "at most 9 digits"),
    "gradcheck, enormous": (
        ("gradcheck", "--size", 20 * "9"),
        "must be from 16, below which conv5_1 has no positions, to 4096",
    ),
    "grid: layers of many digits": (
        ("grid", "--content", "photo.png", "--style", "painting.png", "--layers", 5000 * "9"),
        "must be 1 to 5",
    ),
    "zero byte": (("transfer", "photo.png", "a\0b.png"), "zero byte"),
    "weight file missing": ((*TRANSFER, "--weights", "missing.h5"), "'missing.h5'"),
    "weight file's name too long": ((*TRANSFER, "--weights", f"{TOO_LONG}.h5"), f"{TOO_LONG}.h5"),
    "weight file no HDF5": ((*TRANSFER, "--weights", "text.jpg"), "'text.jpg' cannot be read"),
    "weight file not ours": (
        (*TRANSFER, "--weights", "other.h5"),
        "it is no weight file of ministyle",
    ),
    "name with a zero byte": (("transfer", "photo.png", "zero\0byte.png", *SMALL), "zero byte"),
    "output with a zero byte": ((*TRANSFER, "-o", "zero\0byte.png"), "zero byte"),
    "name that is not UTF-8": (("transfer", "no\udcffsuch.png", "painting.png"), "there is no picture"),
    "too many digits": ((*TRANSFER, "--image-size", "9" * 23), "image_size (=99999999999999999999999)"),
    "far too many digits": ((*TRANSFER, "--image-size", "9" * 5000), "must be a whole number"),
    "limit of pixels 0": ((*TRANSFER, "--max-megapixels", "0"), "max_megapixels (=0.0)"),
    "more pixels than allowed": (
        ("transfer", "wide.png", "painting.png", *SMALL, "--max-megapixels", "0.1"),
        "'wide.png' has 400 x 300 pixels, and the limit is 0.1 megapixels; if you trust the file, --max-megapixels 1",
    ),
    "compare: more pixels than allowed": (("compare", "wide.png", "photo.png", "--max-megapixels", "0.1"), "400 x 300"),
    "texture: a size that nothing holds": (
        ("texture", "photo.png", *SMALL, "--output-size", "100000000x100000000"),
        "size (=(100000000, 100000000)) must be (height, width), whole numbers from 1 to 65500",
    ),
    "truncated WebP": (("transfer", "photo.png", "half.webp", *SMALL), "'half.webp'"),
    "truncated BMP": (("transfer", "photo.png", "half.bmp", *SMALL), "'half.bmp' is damaged"),
    "start missing": ((*TRANSFER, "--init", "missing.png"), "'missing.png'"),
    "start no picture": ((*TRANSFER, "--init", "text.jpg"), "'text.jpg' is not a picture"),
    "output folder missing": ((*TRANSFER, "-o", "missing/out.png"), "no folder 'missing'"),
    "output of 16 bits": ((*TRANSFER, "-o", "out.jpg", "--bits", "16"), "'out.jpg' cannot have 16 bits"),
    "output of 12 bits": ((*TRANSFER, "--bits", "12"), "invalid choice: 12"),
    "output transparent": (
        ("transfer", "cutout.png", "painting.png", *SMALL, "-o", "out.jpg", "--alpha", "keep"),
        "'out.jpg' cannot be transparent: name one that ends in .png",
    ),
    "size of words": (
        (*TRANSFER, "--image-size", "large"),
        "image_size (='large') must be a whole number or 'content'",
    ),
    "own size too small": (
        ("transfer", "thin.png", "painting.png", "--image-size", "content", "--side", "shortest"),
        "(=2)",
    ),
    "address of a file": (("transfer", "file:///tmp/photo.png", "painting.png"), "is an address"),
    "address with one slash": (("transfer", "https:/example.org/a.jpg", "painting.png"), "is an address"),
    "EPS": (("transfer", "drawing.png", "painting.png"), "'drawing.png' is not a picture"),
    "numbered output the photograph": (
        (
            "transfer",
            "thin-1.png",
            "painting.png",
            "--iterations",
            "1",
            "--save-every",
            "1",
            "--overwrite",
            "-o",
            "thin.png",
            *SMALL,
        ),
        "'thin-1.png' is one of the input pictures",
    ),
    "output the photograph by another name": (
        (*TRANSFER, "--overwrite", "-o", "hard.png"),
        "'hard.png' is one of the input pictures",
    ),
    "output without ending": ((*TRANSFER, "-o", "picture"), "'picture' must end in"),
    "output of another kind": ((*TRANSFER, "-o", "out.xbm"), "'out.xbm' must end in"),
    "output's name too long": ((*TRANSFER, "-o", f"{TOO_LONG}.png"), "cannot be written"),
    "numbered output's name too long": (
        (*TRANSFER, "--iterations", "1", "--save-every", "1", "-o", "a" * 250 + ".png"),
        "a-1.png' cannot be written",
    ),
    "output the photograph": ((*TRANSFER, "--overwrite", "-o", "photo.png"), "one of the input pictures"),
    "output the painting": ((*TRANSFER, "--overwrite", "-o", "sub/../painting.png"), "one of the input pictures"),
    "output the start": (
        (*TRANSFER, "--init", "thin.png", "--overwrite", "-o", "thin.png"),
        "one of the input pictures",
    ),
    "no CuPy": ((*TRANSFER, "--device", "cuda"), "CuPy is not installed"),
    "device unknown": ((*TRANSFER, "--device", "tpu"), "'tpu'"),
    "content: layer unknown": (("content", "photo.png", "--layer", "conv9_9"), "'conv9_9'"),
    "content: no such flag": (("content", "photo.png", "--style-weight", "3"), "--style-weight"),
    "texture: no size": (("texture", "photo.png", "--output-size", "0x3"), "'0'"),
    "texture: size of words": (("texture", "photo.png", "--output-size", "large"), "'large'"),
    "texture: not in tiles": (
        ("texture", "photo.png", *SMALL, "--tileable", "--output-size", "40x24"),
        "multiples of 16: 40 x 24",
    ),
    "texture: init content": (("texture", "photo.png", *SMALL, "--init", "content"), "asks for a content picture"),
    "figure: no number": (("figure",), "NUMBER"),
    "figure: another number": (("figure", "4", "photo.png", "painting.png"), "'4'"),
    "figure: picture missing": (("figure", "1", "photo.png", "missing.png"), "'missing.png'"),
    "figure: no painting": (("figure", "2", "photo.png"), "painting"),
    "figure: too many ratios": (("figure", "2", "photo.png", "painting.png", "--ratios", "1,2"), "2 ratios for 1"),
    "figure: ratio 0": (("figure", "3", "photo.png", "painting.png", "--ratios", "0"), "'0'"),
    "figure: ratio no number": (("figure", "3", "photo.png", "painting.png", "--ratios", "1:10"), "'1:10'"),
    "figure: same name twice": (("figure", "2", "photo.png", "painting.png", "./painting.png"), "same name"),
    "figure: into a folder of pictures": (("figure", "1", "photo.png", "painting.png", "-o", "."), "other files"),
    "figure: into a file": (("figure", "1", "photo.png", "painting.png", "-o", "photo.png"), "'photo.png' cannot be"),
    "grid: no folder": (("grid", "--content", "missing", "--style", "painting.png"), "'missing'"),
    "grid: empty folder": (("grid", "--content", "sub", "--style", "painting.png"), "no picture in folder 'sub'"),
    "grid: nothing": (("grid",), "--content"),
    "grid: layers": (("grid", "--content", "photo.png", "--style", "painting.png", "--layers", "9"), "layers (=9)"),
    "grid: seeds": (("grid", "--content", "photo.png", "--style", "painting.png", "--seeds", "a"), "'a'"),
    "grid: seed negative": (("grid", "--content", "photo.png", "--style", "painting.png", "--seeds", "-1"), "seed"),
    "grid: no scheduler": (
        ("grid", "--content", "photo.png", "--style", "painting.png", "--scheduler", "nonsense://1"),
        "no Dask scheduler at 'nonsense://1'",
    ),
    "remake: no manifest": (("remake", "missing.json", "-o", "out.png"), "'missing.json'"),
    "remake: no record": (("remake", "text.jpg", "-o", "out.png"), "'text.jpg' cannot be read as a record"),
    "remake: picture without a record": (("remake", "photo.png", "-o", "out.png"), "'photo.png' cannot be read as a"),
    "remake: a panel's name": (("remake", "photo.png", "both", "-o", "out.png"), "(='both')"),
    "remake: into itself": (("remake", "photo.png", "-o", "photo.png", "--overwrite"), "one of the input pictures"),
    "info: picture without a record": (("info", "photo.png"), "it is a picture that carries none"),
    "info: no picture": (("info", "text.jpg"), "'text.jpg' is not a picture"),
    "info: missing": (("info", "missing.png"), "'missing.png'"),
    "compare: missing": (("compare", "photo.png", "missing.png"), "'missing.png'"),
    "compare: layer": (("compare", "photo.png", "painting.png", "--layers", "conv9_9"), "'conv9_9'"),
    "compare: too small": (("compare", "photo.png", "painting.png", "--image-size", "4"), "too small"),
    "gradcheck too small": (("gradcheck", "--size", "8"), "size (=8)"),
    "gradcheck no directions": (("gradcheck", "--directions", "0"), "directions (=0)"),
    "gradcheck seed negative": (("gradcheck", "--seed", "-1"), "seed (=-1)"),
    "gradcheck no CuPy": (("gradcheck", "--device", "cuda"), "CuPy is not installed"),
    "info weights missing": (("info", "--weights", "missing.h5"), "'missing.h5'"),
    "no action": (("weights",), "ACTION"),
    "import missing": (("weights", "import", "missing.h5"), "'missing.h5'"),
    "import another file": (("weights", "import", "other.h5", "-o", "new.h5"), "of an unknown format"),
    "import no HDF5": (
        ("weights", "import", "text.jpg", "--preprocessing", "caffe", "-o", "new.h5"),
        "'text.jpg' cannot be imported: it is damaged, or of an unknown format",
    ),
    "import no VGG": (
        ("weights", "import", "other.h5", "--preprocessing", "torch", "-o", "new.h5"),
        "'other.h5' cannot be imported: it is damaged, or of an unknown format",
    ),
    "normalise into nothing": (("weights", "normalise", "photo.png", "--into", "missing.h5"), "'missing.h5'"),
    "normalise into another file": (
        ("weights", "normalise", "photo.png", "--into", "other.h5"),
        "'other.h5' cannot be read",
    ),
    "normalise missing": (("weights", "normalise", "missing.png", "--into", "copy.h5"), "'missing.png'"),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_bad_input_ends_with_one_sentence_status_2_and_no_file(case, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    Path("sub").mkdir()
    Path("sub.png").mkdir()
    Path("empty.png").touch()
    Path("text.jpg").write_text("Starry Night")
    for name in ("half.webp", "half.bmp"):
        Image.open("painting.png").save(name)
        Path(name).write_bytes(Path(name).read_bytes()[:700])
    Image.new("1", (400, 300)).save("wide.png")
    Path("half.png").write_bytes(Path("painting.png").read_bytes()[:1500])
    Image.new("RGB", (480, 2)).save("thin.png")
    Image.new("RGB", (40, 30)).save("thin-1.png")
    Image.new("RGBA", (40, 30), (9, 9, 9, 99)).save("cutout.png")
    Image.new("RGB", (40, 30)).save("drawing.png", "EPS")
    os.link("photo.png", "hard.png")
    not_ours()
    arguments, words = BAD_RUNS[case]
    if "copy.h5" in arguments:
        shutil.copy(SHIPPED, "copy.h5")
    before = contents(folder)
    status, out, err = run(*arguments)
    assert status == 2
    assert err.startswith("ministyle: ") and err.endswith("\n") and err.count("\n") == 1
    assert words in err
    assert contents(folder) == before
    assert out == "" or arguments[0] == "info"  # which begins with what is sure
