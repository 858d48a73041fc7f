"""Write the papers of all pictures in docs/: `python docs/make_manifest.py` makes docs/manifest.json.

For each picture it has a hash, the command that made it, and its inputs; for each input a hash, where it comes from,
and its licence. A test holds it against the files.
"""

import json
from pathlib import Path

import make_gallery

from ministyle.files import sha256

DOCS = Path(__file__).resolve().parent
PHOTO, VAN_GOGH, TURNER = "tubingen.jpg", "starry_night.jpg", "shipwreck.jpg"
MUNCH, KANDINSKY = "the_scream.jpg", "composition_vii.jpg"
CAT, WHIRLS = "examples/chelsea.png", "examples/painting.jpg"
PAINTINGS = [TURNER, VAN_GOGH, MUNCH, KANDINSKY]
PUBLIC = "public domain"
INPUTS = {  # those that the project does not have: SHA-256 of our copy, pixels, what and where from, licence
    PHOTO: (
        "e67d1869f01fd805385c681a80d9ebcf0f70ea4a5fe6127f0606bb1c7f4bf506",
        "1024 x 768",
        "Neckarfront in Tübingen, photograph by Andreas Praefcke, "
        "https://commons.wikimedia.org/wiki/File:Tuebingen_Neckarfront.jpg",
        "CC BY 3.0",
    ),
    VAN_GOGH: (
        "228bebf0dd424ea4f740d8d88a67f2960424c166e638086c1ec529260d2e3832",
        "970 x 768",
        "Vincent van Gogh, The Starry Night, 1889",
        PUBLIC,
    ),
    TURNER: (
        "4f7cf34e3cd4a5daaf3f421f059ca9a01aaa2a3afd7243d6670c9c8bc001a213",
        "960 x 662",
        "J. M. W. Turner, The Shipwreck of the Minotaur, 1805",
        PUBLIC,
    ),
    MUNCH: (
        "f3075cddeb974a9ee1d6418f7f33fd05185a7ac7dcb4288bd2805d499a9dcaee",
        "1200 x 1528",
        "Edvard Munch, Der Schrei, 1893",
        PUBLIC,
    ),
    KANDINSKY: (
        "8f992ed4aecd6dd56972d7bc8166761de7c94e670ee6effa8fd05f3daeb33409",
        "1071 x 712",
        "Wassily Kandinsky, Composition VII, 1913",
        PUBLIC,
    ),
    "astronaut.png": (
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "512 x 512",
        "Eileen Collins, photograph by NASA, in scikit-image's package",
        PUBLIC,
    ),
}
BY_SHAPES = "Drawn by docs/examples/draw_shapes.py"
SHIPPED = {  # those that the project has: what and where from, licence
    CAT: ("The cat Chelsea, photograph by Stefan van der Walt, in scikit-image's package", "CC0"),
    WHIRLS: ("Drawn by docs/examples/draw_painting.py", "MIT"),
    "examples/painting-2.jpg": (BY_SHAPES, "MIT"),
    "examples/mask-cat.png": (BY_SHAPES, "MIT"),
    "examples/mask-left.png": (BY_SHAPES, "MIT"),
    "examples/mask-swirl.png": (BY_SHAPES, "MIT"),
}
OLDER = (
    "--optimizer lbfgs --convention mean --style-weight 30 --style-layer-weights equal --border zero --no-bounds "
    "--tv-weight 0"
)
RESULTS = {  # file: command, inputs, and what the command does not say
    "demo.jpg": ("python -m ministyle demo", [CAT, WHIRLS]),
    "tuebingen-starry-night.jpg": (f"python -m ministyle transfer {PHOTO} {VAN_GOGH}", [PHOTO, VAN_GOGH]),
    "tuebingen-shipwreck.jpg": (f"python -m ministyle transfer {PHOTO} {TURNER}", [PHOTO, TURNER]),
    "masks.jpg": (
        f"python -m ministyle transfer {PHOTO} {VAN_GOGH} {MUNCH} --image-size 256 --iterations 40 --optimizer lbfgs",
        [PHOTO, VAN_GOGH, MUNCH],
        "with --content-mask, a ramp from white to black between 45 and 55 % of the width, and without",
    ),
    "tuebingen-scream.jpg": (f"python -m ministyle transfer {PHOTO} {MUNCH}", [PHOTO, MUNCH]),
    "tuebingen-composition-vii.jpg": (f"python -m ministyle transfer {PHOTO} {KANDINSKY}", [PHOTO, KANDINSKY]),
    "gatys2015.jpg": (
        f"python -m ministyle transfer {PHOTO} PAINTING --preset gatys2015",
        [PHOTO, *PAINTINGS],
        "for each painting",
    ),
    "noise.jpg": (
        f"python -m ministyle transfer {PHOTO} {VAN_GOGH} --preset gatys2015 --optimizer lbfgs",
        [PHOTO, VAN_GOGH],
        "to the left with --no-bounds --tv-weight 0",
    ),
    "tried.jpg": (
        "python -m benchmarks.pictures FOLDER --size 256 --iterations 60 --paintings PAINTINGS "
        "--pairs face-flat,town-starry_night",
        [PHOTO, VAN_GOGH, "astronaut.png"],
    ),
    "figure1.jpg": (f"python -m ministyle figure 1 {PHOTO} {VAN_GOGH} --no-originals", [PHOTO, VAN_GOGH]),
    "figure2.jpg": (
        f"python -m ministyle figure 2 {PHOTO} {' '.join(PAINTINGS)} --image-size 512 --iterations 500 --no-originals",
        [PHOTO, *PAINTINGS],
    ),
    "figure3.jpg": (f"python -m ministyle figure 3 {PHOTO} {KANDINSKY}", [PHOTO, KANDINSKY]),
    "tile.jpg": (
        f"python -m ministyle texture {VAN_GOGH} --tileable --output-size 256x192",
        [VAN_GOGH],
        "four copies side by side",
    ),
    "pyramid-1024.jpg": (
        f"python -m ministyle transfer {PHOTO} {VAN_GOGH} --image-size 1024 --iterations 80 --pyramid {OLDER}",
        [PHOTO, VAN_GOGH],
    ),
    "without-pyramid-1024.jpg": (
        f"python -m ministyle transfer {PHOTO} {VAN_GOGH} --image-size 1024 --iterations 95 --no-pyramid {OLDER}",
        [PHOTO, VAN_GOGH],
    ),
    "without-pyramid-512.jpg": (
        f"python -m ministyle transfer {PHOTO} {VAN_GOGH} --image-size 512 --iterations 150 --no-pyramid {OLDER}",
        [PHOTO, VAN_GOGH],
    ),
    "performance-default.png": ("python -m benchmarks.pyramid FOLDER", [CAT, WHIRLS]),
    "performance-pyramid.png": ("python -m benchmarks.pyramid FOLDER", [CAT, WHIRLS], "as it was then"),
    "performance-race.png": ("python -m benchmarks", [CAT, WHIRLS]),
    "performance-sizes.png": ("python -m benchmarks", [CAT, WHIRLS]),
    "performance-steps.png": ("python -m benchmarks", [CAT, WHIRLS]),
}
FIGURES = {  # script in docs/figures: inputs
    "checking": [CAT, WHIRLS],
    "content": [CAT],
    "fast": [CAT],
    "idea": [CAT],
    "layers": [],
    "mistakes": [CAT, WHIRLS],
    "network": [CAT],
    "solver": [CAT, WHIRLS],
    "style": [CAT, WHIRLS],
    "sweep": [],
}


def licence(inputs):
    """Return the licence of what is made from these inputs."""
    return "CC BY 3.0, with its photographer's name" if PHOTO in inputs else "MIT, as the project"


def main():
    """Write the manifest."""
    pictures = {f"results/{name}": about for name, about in RESULTS.items()}
    for name, inputs in FIGURES.items():
        for path in sorted((DOCS / "figures").glob(f"{name}.[sp][vn]g")):
            pictures[f"figures/{path.name}"] = (f"python docs/figures/{name}.py", inputs)
    for name, arguments in make_gallery.commands().items():
        used = [word.removeprefix("docs/") for word in arguments.split() if word.startswith("docs/")]
        pictures[f"gallery/{name}.jpg"] = (f"python -m ministyle {arguments}", used)
    manifest = {
        "inputs": {
            name: {"sha256": digest, "pixels": size, "what": what, "licence": terms}
            for name, (digest, size, what, terms) in INPUTS.items()
        }
        | {
            name: {"sha256": sha256(DOCS / name), "what": what, "licence": terms}
            for name, (what, terms) in SHIPPED.items()
        },
        "pictures": {
            name: {
                "sha256": sha256(DOCS / name),
                "command": command,
                "note": "".join(note),
                "inputs": inputs,
                "licence": licence(inputs),
            }
            for name, (command, inputs, *note) in sorted(pictures.items())
        },
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (DOCS / "manifest.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
