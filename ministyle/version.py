"""The version of the package. Versions follow semantic versioning, https://semver.org."""

VERSION = "0.1.0"
