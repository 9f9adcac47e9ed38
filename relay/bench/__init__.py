"""The load test: what a relay carries, checked while it is measured."""
