"""The site that commands about pages are typed for."""

from pathlib import Path

import pytest
import yaml


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """Give the file of a site with pages and one door."""
    file = tmp_path / "site.yaml"
    document = {"site": "test", "cameras": {"door": {"source": 0}}, "web": {"folder": "web"}}
    file.write_text(yaml.safe_dump(document))
    return file
