"""The desk that decides about visits, and the recording of results for replay."""
