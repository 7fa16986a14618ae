"""The web node: the site in a browser, for whoever is signed in."""
