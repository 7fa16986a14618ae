"""What every page of the browser needs: the link to the bus, rendering, and who may see it."""
