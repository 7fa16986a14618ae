"""Beats and hops as Prometheus metrics, and the endpoint that serves them."""
