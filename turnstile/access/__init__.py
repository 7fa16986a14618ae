"""Who gets in, and why: faces become visits, votes become verdicts."""
