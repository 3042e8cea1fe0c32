"""Requests to other servers, bounded in every direction: time, size, addresses, whom we believe."""
