"""How fast is ministyle, and how much memory does it take? See README.md here."""
