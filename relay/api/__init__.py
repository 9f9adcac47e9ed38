"""The private HTTP side: the platform's calls, API keys, problems, OpenAPI, health and metrics."""
