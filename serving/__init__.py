"""From a registered version to an image that answers predictions. Read `build.py` first."""
