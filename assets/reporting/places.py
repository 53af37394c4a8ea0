"""Where the look of reports lies. Apart from what renders, so that a kernel that only draws stays light."""

from pathlib import Path
from typing import Final

LOOK: Final = Path(__file__).parent / "look"
FONTS: Final = LOOK / "fonts"
TEMPLATE: Final = LOOK / "template"
TEMPLATE_VERSION: Final = "1.0"
