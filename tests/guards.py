"""Take each guard out, one at a time, and see its tests fail: `python tests/guards.py [PART OF A NAME ...]`.

A guard that no test misses may be lost in the next change. This works on a copy of the package, and prints a table. It
takes some minutes; `test_guards.py` only checks that the table below still fits the code.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Guard:
    """A guard and how to take it out.

    Attributes
    ----------
    name : str, what it guards against
    file : str, under `ministyle/`
    text : str, that stands there once
    without : str, what stands there without the guard
    tests : str, arguments of pytest: tests that must fail then
    """

    name: str
    file: str
    text: str
    without: str
    tests: str


GUARDS = (
    Guard(
        "a weight file from a stranger is read in the process itself",
        "weights/file.py",
        "read_own(path) if known else",
        "read_own(path) if True else",
        "tests/weights/test_own.py",
    ),
    Guard(
        "the file that is read directly is not known by its checksum",
        "weights/known.py",
        "f87a7352b35debd9",
        "f87a7352b35debd8",
        "tests/weights/test_known.py",
    ),
    Guard(
        "a child has no limit of memory",
        "weights/isolated.py",
        '"RLIMIT_AS": limits.bytes,',
        "",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "a child has no limit of time of its own",
        "weights/isolated.py",
        '"RLIMIT_CPU": int(limits.seconds) + 1,',
        "",
        "tests/weights/test_isolated.py",
    ),
    Guard("a child opens files", "weights/isolated.py", '"RLIMIT_NOFILE": 3,', "", "tests/weights/test_isolated.py"),
    Guard(
        "a child that hangs is waited for",
        "weights/isolated.py",
        "process.wait(limits.seconds)",
        "process.wait(70)",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "a child that crashed is believed",
        "weights/isolated.py",
        "if status != 0:",
        "if False:",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "Ctrl-C leaves a child behind",
        "weights/isolated.py",
        "process.kill()",
        "pass",
        "tests/weights/test_isolated.py -k ctrl_c",
    ),
    Guard(
        "what a child sends back is believed",
        "weights/isolated.py",
        "    check_layers(\n        {name: shape",
        "    str(\n        {name: shape",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "a child's list may be of any length",
        "weights/isolated.py",
        "if length > min(LONGEST_LIST, size):",
        "if False:",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "what a file claims is not compared with the architecture before reading",
        "weights/own.py",
        'check_layers(shapes, dtypes, attributes.get("network"))',
        "",
        "tests/weights/test_own.py",
    ),
    Guard(
        "attributes of any kind are read",
        "weights/own.py",
        "attribute.get_storage_size() > LONGEST_ATTRIBUTE or len(attribute.shape) > 1",
        "False",
        "tests/weights/test_own.py",
    ),
    Guard(
        "attributes may be references",
        "weights/own.py",
        'attribute.dtype.kind not in "biufSUO" or h5py.check_ref_dtype(attribute.dtype)',
        "False",
        "tests/weights/test_own.py",
    ),
    Guard(
        "any number of attributes is read",
        "weights/own.py",
        "len(names) > MOST_ATTRIBUTES",
        "False",
        "tests/weights/test_own.py",
    ),
    Guard(
        "data sets that are no part of a weight file are let in",
        "weights/own.py",
        'if not re.fullmatch(rf"conv',
        'if False and not re.fullmatch(rf"conv',
        "tests/weights/test_own.py",
    ),
    Guard(
        "NaN and infinity are let in",
        "weights/file.py",
        "if not np.isfinite(array).all():",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "any order of channels is let in",
        "weights/file.py",
        'if attributes["channel_order"] not in ("RGB", "BGR"):',
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "means and scales of any length are let in",
        "weights/file.py",
        "if not are_numbers or not np.isfinite(value).all():",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "links are followed",
        "formats/hdf5.py",
        "if not isinstance(group.get(name, getlink=True), h5py.HardLink):",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "numbers are read from other files",
        "formats/hdf5.py",
        "if dataset.is_virtual or dataset.external:",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "any filter unpacks a data set",
        "formats/hdf5.py",
        "if filters - set(FILTERS.values()):",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "a data set may claim to be larger than the file",
        "formats/format.py",
        "if size > limit:",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "any number of groups is walked through",
        "formats/hdf5.py",
        "if count[0] > MOST_GROUPS:",
        "if False:",
        "tests/weights/test_own.py",
    ),
    Guard(
        "pipes are waited for",
        "files.py",
        "    if stat.S_ISREG(mode):",
        "    if True:",
        "tests/test_files.py",
    ),
    Guard(
        "numbers that are not finite are imported",
        "weights/importing.py",
        "if not np.isfinite(array).all():",
        "if False:",
        "tests/weights/test_importing.py -k finite",
    ),
    Guard(
        "numbers that overflow in float16 are imported",
        "weights/importing.py",
        "if not np.isfinite(rounded).all():",
        "if False:",
        "tests/weights/test_importing.py -k finite",
    ),
    Guard(
        "filters the wrong way round are taken as they are",
        "weights/importing.py",
        "(published.likeness.mend(kernel), bias)",
        "(kernel, bias)",
        "tests/weights/test_published.py",
    ),
    Guard(
        "the order of channels is not looked at",
        "weights/importing.py",
        "expects.in_order(published.likeness.channel_order)",
        "expects",
        "tests/weights/test_published.py",
    ),
    Guard(
        "a file that is imported is written over",
        "weights/importing.py",
        "output.exists() and output.samefile(source)",
        "False",
        "tests/weights/test_importing.py",
    ),
    Guard(
        "a weight file is written by HDF5 itself, which crashes where the disk is full",
        "weights/file.py",
        "temporary.write_bytes(content.getbuffer())",
        "_write(weights, temporary)",
        "tests/weights/test_weight_file.py -k full",
    ),
    Guard(
        "a pickle runs what it names",
        "formats/pickles.py",
        "        if full not in self.names:",
        "        if full not in self.names:\n            import importlib\n\n"
        "            found = getattr(importlib.import_module(module), name)\n"
        "            self.names = {**self.names, full: found}\n            return found\n        if False:",
        "tests/formats/test_pickles.py",
    ),
    Guard(
        "a pickle asks for more bytes than there are",
        "formats/pickles.py",
        "pickletools.genops(_Bounded(file))",
        "pickletools.genops(file)",
        "tests/formats/test_pickles.py",
    ),
    Guard(
        "archives unpack to any size",
        "formats/archive.py",
        "if member.file_size > most:",
        "if False:",
        "tests/formats/test_archive.py",
    ),
    Guard(
        "members of an archive lie on top of each other",
        "formats/archive.py",
        "if sum(member.compress_size for member in members) > size_of(file):",
        "if False:",
        "tests/formats/test_archive.py",
    ),
    Guard(
        "a tensor of PyTorch reaches beyond its storage",
        "formats/pytorch.py",
        "if 0 not in view.shape and last >= view.storage.length:",
        "if False:",
        "tests/formats/test_pytorch.py",
    ),
    Guard(
        "ONNX is read from other files",
        "formats/onnx.py",
        "if number == EXTERNAL_PLACE or (number == PLACE and value != 0):",
        "if False:",
        "tests/formats/test_onnx.py",
    ),
    Guard(
        "tensors of safetensors overlap",
        "formats/safetensors.py",
        "if first != position:",
        "if False:",
        "tests/formats/test_safetensors.py",
    ),
    Guard(
        "NumPy's objects, which are pickles, are read",
        "formats/numpy_archive.py",
        'if dtype.kind not in "fiub":',
        "if False:",
        "tests/formats/test_numpy_archive.py",
    ),
    Guard(
        "fields of Protocol Buffers end outside of what they are part of",
        "formats/protobuf.py",
        "if position > span.end:",
        "if False:",
        "tests/formats/test_protobuf.py",
    ),
    Guard(
        "networks with batch normalisation are taken for plain ones",
        "weights/layout.py",
        "if any(name.endswith(NORMALISATION) for name in tensors):",
        "if False:",
        "tests/weights/test_layout.py",
    ),
    Guard(
        "Pillow opens formats that start programs",
        "pictures/opening.py",
        'Image.open(stream, "r", known)',
        'Image.open(stream, "r")',
        "tests/pictures/test_limits.py tests/pictures/test_reading.py",
    ),
    Guard(
        "pictures of any number of pixels are decoded",
        "pictures/opening.py",
        "if needed > max_megapixels:",
        "if False:",
        "tests/pictures/test_limits.py",
    ),
    Guard(
        "picture files of any size are read",
        "pictures/opening.py",
        "    if size > limit:",
        "    if False:",
        "tests/pictures/test_limits.py",
    ),
    Guard(
        "open files of any length are read",
        "pictures/opening.py",
        "if len(data) > LARGEST_STREAM:",
        "if False:",
        "tests/pictures/test_limits.py",
    ),
    Guard(
        "what decoders raise is a traceback",
        "errors.py",
        "    except Exception as error:\n        reason",
        "    except ZeroDivisionError as error:\n        reason",
        "tests/pictures/test_reading.py",
    ),
    Guard(
        "sentences have several lines",
        "errors.py",
        'line = printable(" ".join(sentence.split()))',
        "line = printable(sentence)",
        "tests/fuzz/test_fuzz.py -k settings",
    ),
    Guard(
        "names steer the terminal",
        "command/terminal.py",
        "printable(text.removeprefix(start))",
        "text.removeprefix(start)",
        "tests/command/test_terminal.py",
    ),
    Guard(
        "a record names a picture outside of its folder",
        "experiments/records.py",
        "if not is_ours or os.path.realpath(path.parent) != os.path.dirname(os.path.realpath(path)):",
        "if False:",
        "tests/experiments/test_records.py",
    ),
    Guard(
        "a panel's name is no name of a file",
        "experiments/records.py",
        "        if not _is_name(self.name):",
        "        if False:",
        "tests/experiments/test_records.py",
    ),
    Guard(
        "manifests and records of any depth are read",
        "jobs/record.py",
        "if _is_deeper(content, DEEPEST):",
        "if False:",
        "tests/experiments/test_records.py tests/jobs/test_record.py",
    ),
    Guard(
        "cells of tables are formulas",
        "experiments/records.py",
        'table_cell(row.get(column, ""))',
        'row.get(column, "")',
        "tests/experiments/test_records.py",
    ),
    Guard(
        "an output is one of the inputs",
        "command/output.py",
        "        if what:\n            raise MinistyleError(f\"output '{output}' is {what}",
        "        if False:\n            raise MinistyleError(f\"output '{output}' is {what}",
        "tests/command/test_output.py",
    ),
    Guard(
        "an output is the weight file",
        "command/output.py",
        'taken[_identity(find_weights(weights))] = "the weight file"',
        "",
        "tests/command/test_output.py",
    ),
    Guard(
        "BLAS keeps one thread after several transfers in threads",
        "arrays.py",
        "self._users[threading.get_ident()] += change",
        "self._users[0] = max(0, change)",
        "tests/test_arrays.py",
    ),
    Guard(
        "a killed program's half-written files stay for ever",
        "files.py",
        "        _sweep(path.parent.absolute())",
        "        pass",
        "tests/test_files.py",
    ),
)


def take_out(guard, folder):
    """Take a guard out of a copy of the package, and return whether its tests fail."""
    path = folder / "ministyle" / guard.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(guard.text, guard.without), encoding="utf-8")
    try:
        environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *guard.tests.split()]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=600).returncode == 1
    except subprocess.TimeoutExpired:  # a test that hangs is noticed as well
        return True
    finally:
        path.write_text(whole, encoding="utf-8")


def main(parts):
    """Take out the guards whose names hold one of some words, or all; return how many no test misses."""
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "copy"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", "_build", "*cache*", "*.egg-info"))
        for guard in GUARDS:
            if not parts or any(part in guard.name for part in parts):
                noticed = take_out(guard, folder)
                missed += not noticed
                print(f"| {guard.name} | `{guard.file}` | {'fails' if noticed else 'STILL PASSES'} |", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
