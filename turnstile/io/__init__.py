"""Everything that touches the world: sockets, files, cameras, screens, clocks and threads."""
