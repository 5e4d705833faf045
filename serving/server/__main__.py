"""`python -m serving.server BUNDLE`, and `--check [URL]` for a health check."""

import os
import sys
from pathlib import Path


def main() -> int:
    """Run what the command line says; returns the exit code."""
    match sys.argv[1:]:
        case ["--check", *url] if len(url) < 2:
            from serving.server.check import is_ready, own_url

            return 0 if is_ready(url[0] if url else own_url(os.environ)) else 1
        case [folder] if not folder.startswith("-"):
            from serving.server.main import serve

            return serve(Path(folder), os.environ)
    print("usage: python -m serving.server BUNDLE | --check [URL]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
