"""Everything that touches the world: sockets, cameras, files, clocks, screens."""
