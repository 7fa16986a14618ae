"""What loading a network does besides."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOAD = "from turnstile.vision.models import cache, runtime; runtime.load(cache.detector_graph())"


def test_loading_a_network_starts_no_telemetry(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry begins by writing the number of a session into the temporary folder."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env=environment | {"TMPDIR": str(tmp_path)},
        timeout=100,
        check=True,
    )
    assert not list(tmp_path.iterdir())
