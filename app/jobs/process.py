"""How the page runs `discover` in a process of its own."""

import sys

# Works from an editable and from a normal install, and, by -P, never from a folder's own files.
DISCOVER = [sys.executable, "-P", "-c", "from discover.cli import main; main()"]
