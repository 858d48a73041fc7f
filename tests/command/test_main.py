"""The command as a whole: its statuses, and what it says when something fails."""

import errno
import os
import sys

import cupy_standin
import pytest
from commands import TRANSFER, contents, from_the_shell, let_happen, run
from conftest import pixels_of

import ministyle
from ministyle.command import make_parser
from ministyle.network import Network

pytestmark = pytest.mark.usefixtures("folder")


def parsers(parser, name="ministyle"):
    """Return a parser and all below it, {command: parser}."""
    found = {name: parser}
    for action in parser._actions:
        if isinstance(action.choices, dict) and all(
            hasattr(choice, "parse_args") for choice in action.choices.values()
        ):
            for word, command in action.choices.items():
                found |= parsers(command, f"{name} {word}")
    return found


PARSERS = parsers(make_parser())


def test_a_transfer_from_the_shell_writes_the_picture_and_says_so():
    done = from_the_shell(*TRANSFER, "--iterations", "3", "-o", "out.png", "--device", "cpu")
    assert done.returncode == 0
    assert done.stderr == ""  # no progress line where nobody looks
    lines = done.stdout.splitlines()
    assert lines[0].startswith("L-BFGS-B: ")
    assert lines[1].startswith("3 iterations, ")
    word, before, arrow, after = lines[2].split()
    assert (word, arrow) == ("loss", "->")
    assert float(after) < float(before) / 2
    assert lines[-1] == "picture: out.png (32 x 24)"
    assert pixels_of("out.png").shape == (24, 32, 3)


def test_an_error_from_the_shell_is_one_line_and_status_2():
    done = from_the_shell("transfer", "missing.png", "painting.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ministyle: there is no picture 'missing.png'\n"


def test_the_version_is_the_package_s():
    assert run("--version") == (0, f"ministyle {ministyle.__version__}\n", "")


def test_all_commands_are_there():
    assert {name.split()[1] for name in PARSERS if " " in name} == {
        "transfer",
        "demo",
        "content",
        "texture",
        "figure",
        "grid",
        "remake",
        "compare",
        "gradcheck",
        "exercises",
        "weights",
        "info",
    }


@pytest.mark.parametrize("command", PARSERS)
def test_every_flag_has_a_help_text(command):
    own = [action for action in PARSERS[command]._actions if action.option_strings]
    assert own
    assert [action.option_strings for action in own if not action.help] == []


@pytest.mark.parametrize("command", PARSERS)
def test_help_can_be_asked_of_every_command(command):
    status, out, err = run(*command.split()[1:], "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: {command}")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_does_not_cost_the_picture(unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    os.close(reading)  # as `| head` does once it has seen enough
    done = from_the_shell(*TRANSFER, "--iterations", "2", "--print-every", "1", "-o", "out.png", stdout=writing)
    os.close(writing)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert pixels_of("out.png").shape == (24, 32, 3)


def fail_with(monkeypatch, error):
    """Have the work fail."""

    def fail():
        raise error

    let_happen(monkeypatch, fail)


def test_a_lack_of_memory_is_said_in_one_sentence(monkeypatch):
    fail_with(monkeypatch, MemoryError("Unable to allocate 7 TiB"))
    status, out, err = run(*TRANSFER)
    assert (status, out) == (2, "")
    assert "memory" in err and "--image-size" in err and "GPU" not in err and err.count("\n") == 1


def test_a_lack_of_memory_on_the_gpu_says_what_can_be_done_about_it(folder, monkeypatch):
    """The error is CuPy's own, which the stand-in has under the same name; it comes from the network's first layer."""
    cupy = cupy_standin.make_module()
    monkeypatch.setitem(sys.modules, "cupy", cupy)

    def forward(*_, **__):
        raise cupy.cuda.memory.OutOfMemoryError("Out of memory allocating 4,294,967,296 bytes")

    monkeypatch.setattr(Network, "forward", forward)
    before = contents(folder)
    for command in (TRANSFER, ("texture", "painting.png", "--image-size", "32")):
        status, _, err = run(*command, "--device", "cuda", "-o", "out.png")
        assert status == 2 and err.count("\n") == 1
        assert "the GPU has not enough memory; try --device cpu or a smaller --image-size" in err
    assert contents(folder) == before
    flags = ("--content", "photo.png", "--style", "painting.png", "--image-size", "32", "--device", "cuda", "-q")
    status, _, err = run("grid", *flags, "-o", "out")
    assert status == 2 and err.count("\n") == 1 and "1 of 1 panels could not be made" in err and "--device cpu" in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "long.h5"), "long.h5: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device"), "output: No space left on device"),
        (OSError("the device\nhas gone"), "the device has gone"),
        (OSError(), "the system refuses something, and does not say what (OSError)"),
        (OSError(errno.EIO, "Input/output error", 3), "3: Input/output error"),
        (OSError(errno.EIO, "Input/output error", b"\xfc"), "b'\\xfc': Input/output error"),
        (RecursionError("maximum depth"), "something is nested too deeply: maximum depth"),
        (OverflowError("too large for int"), "a number is too large: too large for int"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "no"), "'utf-8' codec can't encode character '\\udcff' in posi"),
    ],
)
def test_what_the_system_refuses_is_said_in_one_sentence(error, said, monkeypatch):
    fail_with(monkeypatch, error)
    status, out, err = run(*TRANSFER)
    assert (status, out) == (2, "")
    assert err.startswith(f"ministyle: {said}") and err.count("\n") == 1


def test_an_error_of_the_program_itself_is_not_hushed_up(monkeypatch):
    fail_with(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run(*TRANSFER)


def test_an_interruption_before_there_is_a_picture_says_so(folder, monkeypatch):
    before = contents(folder)
    fail_with(monkeypatch, KeyboardInterrupt())
    assert run(*TRANSFER) == (130, "", "ministyle: interrupted\n")
    assert contents(folder) == before
