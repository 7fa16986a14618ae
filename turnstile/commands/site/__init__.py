"""Commands that look at a site file or a machine, or write what a machine needs."""
