"""Apply an edited site file where it differs from what runs here, under `turnstile up`.

Nodes whose part of the file changed are started again, new ones are started, and those that are gone are
stopped. A file that is not valid changes nothing. Nodes started in another way, such as by systemd, are to be
restarted there.
"""

import argparse
import sys

from turnstile.commands.options import add_config, add_host
from turnstile.io.site.file import load
from turnstile.io.supervise.control import send_command
from turnstile.site.restarts import EXIT_STOPPED


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config(parser, positional=True)
    add_host(parser, default="the one that runs here")


def run(options: argparse.Namespace) -> int:
    """Have the file applied, and say which nodes were started or stopped; return 0, or 78 if it is wrong."""
    load(options.config)
    answer = send_command(options.config, options.host, "reload")
    changes = [f"{verb} {', '.join(names)}" for verb, names in answer.items() if names]
    sys.stdout.write(f"{'; '.join(changes) or 'nothing here is affected'}\n")
    return EXIT_STOPPED
