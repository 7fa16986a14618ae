"""Remove a person's pictures, encodings and name from every file of this machine, for ever.

- The pictures in ``faces/`` are removed. The broker then sends every recognizer a gallery without the person.
- What `turnstile not` keeps of the person's name is removed, and unknown people who came near.
- The encodings of all pictures that are not in ``faces/`` are removed from the cache.
- A pseudonym replaces the name in the broker's journal, in the logs and in their text. Pictures of the face
  are removed there. The chain still verifies, and `verify` says that somebody was erased.
- A running broker forgets the person's open visits, and answers what it erased.
- Rules, the site file, recordings and files of unknown kinds are not changed. The command names those that
  have the name, or may have it.

Every file keeps its owner and mode. The name may be in any spelling that is the same name. Run the command on
every machine that has a log. Its last lines say what it cannot reach.

Exit code 0 means that the name is gone from every file looked at, but for comments in files that people
write: these are named. It is 1 if nobody has that name, or an error line says what may still have it.
"""

import argparse
import re
import sys

from turnstile.commands.options import add_config
from turnstile.errors import ConfigError
from turnstile.io.erasure.run import ErasureRun
from turnstile.io.runner.node import EXIT_CRASHED, EXIT_STOPPED
from turnstile.io.site.file import load
from turnstile.io.site.terminal import printable
from turnstile.protocol.names import name_key

_PSEUDONYM = re.compile("erased-[0-9a-f]{8}")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("person", metavar="PERSON", help="the name as the log has it: 'Barack Obama'")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Erase a person; return 0, or 1 if nobody has the name or something may still have it.

    Raises:
        ConfigError: the name has no letters, or is a pseudonym, whose person has been erased.
    """
    if not name_key(options.person):
        raise ConfigError(f"a name has letters; {options.person!r} has none")
    if _PSEUDONYM.fullmatch(name_key(options.person)):
        raise ConfigError(f"{options.person} stands for somebody who was erased; nothing more is known")
    erasure = ErasureRun(
        site=load(options.config),
        site_path=options.config,
        person=" ".join(options.person.split()),
        dry_run=options.dry_run,
    )
    for line in erasure.run():
        sys.stdout.write(f"{printable(line)}\n")
        sys.stdout.flush()
    for problem in erasure.problems:
        sys.stderr.write(f"error: {printable(problem)}\n")
    return EXIT_STOPPED if erasure.found and not erasure.problems else EXIT_CRASHED
