"""What pictures come out, and how good are they? See README.md one folder up."""
