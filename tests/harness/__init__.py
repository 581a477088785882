"""What the Python tests stand on; see README.md in this folder."""
