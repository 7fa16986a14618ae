"""The sample faces: pictures of two presidents, for the demo, the tests and `doctor`.

They ship in the source distribution of the face-recognition package. Set-up fetches them into the virtual
environment: the repository holds no pictures of people. Both the archive and each
picture are pinned by hash. `python -m turnstile.commands.demo.samples` fetches what is missing.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from turnstile.errors import SetupError
from turnstile.files.whole import write_whole

ARCHIVE_REQUIREMENT = (
    "face-recognition==1.3.0 --hash=sha256:5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
)
ARCHIVE_FOLDER = "face_recognition-1.3.0/tests/test_images"
MAX_PICTURE_BYTES = 1_000_000

PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "biden.jpg": "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
        "obama.jpg": "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
        "obama2.jpg": "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
        "obama3.jpg": "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
        "obama_partial_face.jpg": "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
        "obama_partial_face2.jpg": "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
    }
)
"""File name to SHA-256. The two partial faces are cut off at the picture's edge."""


def default_folder() -> Path:
    """Return where set-up puts the pictures: inside this virtual environment."""
    return Path(sys.prefix) / "share" / "turnstile" / "samples"


def folder(where: Path | None = None) -> Path:
    """Return the folder with all the sample pictures.

    Raises:
        SetupError: they have not been fetched, or not all of them.
    """
    found = where or default_folder()
    missing = [name for name in PICTURES if not (found / name).is_file()]
    if missing:
        raise SetupError(f"sample faces are missing in {found}: {', '.join(missing)}; run `make setup`")
    return found


def is_complete(where: Path) -> bool:
    """Tell whether every sample picture is there and is the one that is meant."""
    try:
        return all(_sha256((where / name).read_bytes()) == sha256 for name, sha256 in PICTURES.items())
    except OSError:
        return False


def fetch(where: Path) -> None:
    """Download the archive through pip and put its sample pictures into `where`.

    Raises:
        SetupError: pip could not download the archive, or it does not hold the pictures that are meant.
    """
    where.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where.parent) as temporary:
        install(_download(Path(temporary)), where)


def install(archive: Path, where: Path, *, pictures: Mapping[str, str] = PICTURES) -> None:
    """Take `pictures` (file name to SHA-256) out of a source distribution, and nothing else.

    Each file appears in `where` whole or not at all, and none does unless all are right.

    Raises:
        SetupError: a picture is missing in the archive, too big, no plain file, or another than pinned.
    """
    try:
        with tarfile.open(archive, mode="r:gz") as opened:
            contents = {name: _extract(opened, name) for name in pictures}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SetupError(f"cannot read {archive}: {error}; run `make setup` again") from error
    for name, sha256 in pictures.items():
        if (found := _sha256(contents[name])) != sha256:
            raise SetupError(f"{name} in {archive.name} is another picture: SHA-256 {found}, not {sha256}")
    where.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(where / name, content, mode=0o644)


def _download(into: Path) -> Path:
    requirement = into / "requirement.txt"
    requirement.write_text(ARCHIVE_REQUIREMENT + "\n", "ascii")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--use-pep517"]
    command += ["--require-hashes", "--dest", str(into), "--requirement", str(requirement)]
    finished = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    archives = list(into.glob("*.tar.gz"))
    if finished.returncode != 0 or len(archives) != 1:
        said = finished.stderr.strip()[-2000:]
        raise SetupError(f"pip could not download the sample faces; run `make setup` again. It said:\n{said}")
    return archives[0]


def _extract(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        member = archive.getmember(f"{ARCHIVE_FOLDER}/{name}")
    except KeyError:
        raise SetupError(f"the archive holds no {ARCHIVE_FOLDER}/{name}") from None
    stream = archive.extractfile(member) if member.isreg() else None
    if stream is None or member.size > MAX_PICTURE_BYTES:
        raise SetupError(f"{member.name} is no plain file of at most {MAX_PICTURE_BYTES} bytes")
    return stream.read()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Fetch the sample faces unless they are there. Return 0, or 1 with the reason printed."""
    where = default_folder()
    if is_complete(where):
        return 0
    sys.stdout.write(f"fetching the sample faces into {where}\n")
    try:
        fetch(where)
    except (SetupError, OSError) as error:
        sys.stderr.write(f"set-up failed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
