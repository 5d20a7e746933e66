"""Makes the helpers of the integration tests known here: the real doors need them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "integration"))
