"""The web node itself: the application of all pages, its HTTP server, and the loop on the bus."""
