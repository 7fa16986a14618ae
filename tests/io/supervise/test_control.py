"""One supervisor a site file and host, and commands for it."""

from pathlib import Path

import pytest

from turnstile.errors import ConfigError, TurnstileError
from turnstile.io.supervise.control import claim, send_command


def test_a_site_runs_once_on_a_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is ours alone, and free again afterwards."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    config = folder / "site.yaml"
    with claim(config, "gate") as socket:
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        with pytest.raises(ConfigError, match="runs here already"), claim(config, "gate"):
            pass
        with claim(config, "front"), pytest.raises(TurnstileError, match=r"--host is needed.*front, gate"):
            send_command(config, None, "nodes")
    with pytest.raises(TurnstileError, match="nothing runs here"):
        send_command(config, "gate", "nodes")
    socket.parent.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"), claim(config, "gate"):
        pass
