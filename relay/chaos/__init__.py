"""Faults while people talk: what a relay keeps when its parts fail."""
