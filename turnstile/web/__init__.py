"""What the browser's pages say and whom they let in, computed from values alone."""
