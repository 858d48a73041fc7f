"""No name steers the terminal, whatever prints it."""

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from commands import QUICK, Terminal, run
from PIL import Image, PngImagePlugin

import ministyle
from ministyle.command.terminal import PrintableStream, printable_streams
from ministyle.errors import printable

pytestmark = pytest.mark.usefixtures("folder")

OWNED = "a\x1b]0;owned\x07.png"
ESCAPED = r"a\x1b]0;owned\x07.png"
NAMES = {
    OWNED: ESCAPED,
    "b\x9b2J.png": r"b\x9b2J.png",  # C1: CSI in one letter
    "c\x7f\x08\x08.png": r"c\x7f\x08\x08.png",
    "d\u202egnp.exe.png": r"d\u202egnp.exe.png",
    "e\u2066f\u2069.png": r"e\u2066f\u2069.png",
    "g\rministyle: forged.png": r"g\rministyle: forged.png",
    os.fsdecode(b"Fl\xfcsse.png"): r"Fl\udcfcsse.png",
    "星月夜, Große Straße.png": "星月夜, Große Straße.png",
    "שלום‏.png": "שלום‏.png",  # a mark of direction is no override
}
STEER = {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}


def steering(text):
    """Return what a text would steer a terminal with; ends of lines are none of it."""
    return {letter for letter in text if letter in STEER} - {"\n"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_with_escapes_and_letters_stay(name):
    assert printable(name) == NAMES[name]


@pytest.mark.parametrize("name", [OWNED, "d\u202e\x9b2J.png"])
def test_no_command_prints_a_name_as_it_is(name):
    Path("photo.png").rename(name)
    outputs = [
        run("transfer", name, "painting.png", *QUICK, "-o", "out.png", "--print-every", "1"),
        run("transfer", "painting.png", name, *QUICK, "-o", f"out {name}"),
        run("transfer", "painting.png", f"no {name}", *QUICK),
        run("transfer", name, "start.png", "--style", "painting.png", *QUICK, "-o", "many"),
        run("compare", name, "painting.png"),
        run("info", name),
        run("remake", f"no {name}", "-o", "again.png"),
        run("gradcheck", f"--{name}"),
        run(name),
    ]
    assert {status for status, _, _ in outputs} == {0, 2}
    assert set().union(*(steering(out + err) for _, out, err in outputs)) == set()
    assert any(printable(name).removesuffix(".png") in out + err for _, out, err in outputs)


@pytest.mark.parametrize("command", ["grid", "figure"])
def test_no_panel_is_named_so(command):
    Path("painting.png").rename(OWNED)
    what = (
        ("grid", "--content", "photo.png", "--style", OWNED)
        if command == "grid"
        else ("figure", "2", "photo.png", OWNED)
    )
    status, out, err = run(*what, *QUICK[:4], "-o", "out")
    assert status == 2 and r"a\x1b]0;owned\x07" in err and not steering(out + err)


def test_a_photograph_of_any_name_is_in_a_figure():
    """Its name is a label there."""
    Path("photo.png").rename(OWNED)
    assert run("figure", "3", OWNED, "painting.png", *QUICK[:4], "--ratios", "1", "-q", "-o", "out")[0] == 0
    assert run("figure", "1", OWNED, "painting.png", *QUICK[:4], "-q", "-o", "out1")[0] == 0


def test_what_a_picture_says_of_itself_does_not_steer_either():
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("ministyle", '{"format": "ministyle picture 1", "inputs": {"\\u001b[2J\\u009b": 1}}')
    Image.new("RGB", (4, 3)).save("out.png", pnginfo=texts)
    Path("broken.json").write_text('{"format": "ministyle panels 1", "panels": [{"name": "\\u001b[2J\\u202e"}]}')
    for arguments in (("info", "out.png"), ("remake", "broken.json", "-o", "again.png")):
        status, out, err = run(*arguments)
        assert status == 2 and err.count("\n") == 1 and not steering(out + err)


def test_what_libraries_say_does_not_steer_either(monkeypatch):
    def open_picture(*_, **__):
        warnings.warn("odd \x1b[2J chunk", stacklevel=1)
        raise OSError("bad \x1b[31m tag \x9b \u202e")

    monkeypatch.setattr(Image, "open", open_picture)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status, out, err = run("transfer", "photo.png", "painting.png")
    assert status == 2 and not steering(out + err)
    assert r"\x1b[31m" in err


def test_the_progress_line_moves_on_as_before():
    terminal = Terminal()
    assert run("transfer", "photo.png", "painting.png", *QUICK, "-o", "out.png", stderr=terminal)[0] == 0
    shown = terminal.getvalue()
    assert shown.count("\r") > 2 and r"\r" not in shown and steering(shown) == {"\r"}


def test_a_stream_is_otherwise_what_it_was():
    inner = io.StringIO()
    stream = PrintableStream(inner)
    stream.writelines(["a\x1b\n", "b\r"])
    assert inner.getvalue() == "a\\x1b\nb\\r" and stream.getvalue is not None and not stream.isatty()
    before = sys.stdout, sys.stderr
    with printable_streams():
        assert isinstance(sys.stdout, PrintableStream) and isinstance(sys.stderr, PrintableStream)
    assert (sys.stdout, sys.stderr) == before


def test_a_program_without_a_console_has_nothing_to_print_to(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with printable_streams():
        assert sys.stdout is None is sys.stderr


# In a process of its own ---------------------------------------------------------------------------------


COMMAND = [sys.executable, "-m", "ministyle"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])}


def through_a_terminal(*arguments):
    """Run a command on a pseudo terminal; return all that it shows there."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=ENVIRONMENT)
    os.close(theirs)
    shown = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # what Linux says at the end
            break
        if not some:
            break
        shown += some
    os.close(ours)
    process.wait()
    return shown.decode("utf-8", "strict")


def through_a_pipe(*arguments):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, env=ENVIRONMENT, check=False)
    return (done.stdout + done.stderr).decode("utf-8", "strict")


@pytest.mark.parametrize("through", [through_a_terminal, through_a_pipe])
@pytest.mark.parametrize("name", [OWNED, "b\x9b2J\u202e.png", os.fsdecode(b"Fl\xfcsse.png")])
def test_nothing_of_a_name_reaches_the_terminal(through, name):
    Path("photo.png").rename(name)
    for arguments in (("transfer", name, "painting.png", *QUICK, "-o", f"out {name}"), ("info", name)):
        shown = through(*arguments)
        assert printable(name) in shown
        allowed = {"\r"} if through is through_a_terminal else set()
        assert steering(shown) <= allowed
