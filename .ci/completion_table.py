"""Writes reenact/cli/completion_table.json anew, from which shells complete. Run it when options change.

It imports every command, those of `train` included: the extra `train` has to be installed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reenact.cli import main
from reenact.cli.completion_table import TABLE, describe

if __name__ == "__main__":
    TABLE.write_text(json.dumps(describe(main), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
