"""`exercises`: a folder with functions to fill in, and a program that checks them."""

from pathlib import Path

from ..exercises.sheets import write_exercises
from .parser import add_command


def add(commands):
    """Add the command."""
    command = add_command(commands, "exercises", "write a folder of exercises: functions to fill in, and a check", run)
    command.add_argument("folder", type=Path, metavar="DIR", help="folder to make; it must be new or empty")


def run(options):
    """Write the folder."""
    write_exercises(options.folder)
    print(f"wrote exercises to {options.folder}: read README.md there, and run 'python check.py' in it")
    return 0
