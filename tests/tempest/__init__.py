"""OpenStack's own acceptance tests."""
