"""Text that came over the bus, made safe to print."""


def printable(text: str) -> str:
    """Return a text that cannot steer a terminal, whoever sent it: what does not print is replaced."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
