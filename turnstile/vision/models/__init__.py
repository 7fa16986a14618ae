"""Networks: read from their files, built, quantized, cached, and run."""
