"""The tests of Needletail; docs/testing.md says what is where."""
