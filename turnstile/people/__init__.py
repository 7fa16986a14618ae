"""Who is enrolled, and how well their encodings tell them apart."""
