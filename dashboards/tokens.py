"""The design tokens: name -> (light, dark). `css_variables` turns them into `--name: light-dark(a, b)`."""

from typing import Final

TOKENS: Final = {
    "page": ("#EDEFF1", "#12161B"),
    "card": ("#FFFFFF", "#1B2127"),
    "sunk": ("#F4F6F7", "#151A1F"),
    "line": ("#D5DADF", "#303841"),
    "line-soft": ("#E7EAED", "#262D35"),
    "ink": ("#1A2027", "#E4E8EC"),
    "ink-2": ("#4A5561", "#AEB8C2"),
    "ink-3": ("#5B6772", "#8E9AA6"),
    "act": ("#0B6470", "#5CC0CC"),
    "act-soft": ("#DCECEE", "#17353A"),
    # Severity: ink for text, fill for shapes, soft for backgrounds. Nothing else on a page may use these hues.
    "critical": ("#B3261E", "#FF9088"),
    "critical-fill": ("#C4291C", "#F2635A"),
    "critical-soft": ("#FBE9E7", "#3B2020"),
    "high": ("#A04A00", "#FFB37C"),
    "high-fill": ("#D9660F", "#F08A3C"),
    "high-soft": ("#FCEEDF", "#38281B"),
    "medium": ("#6E5600", "#EBCB63"),
    "medium-fill": ("#AD8600", "#D9A91E"),
    "medium-soft": ("#F8F1D6", "#332D18"),
    "low": ("#3D566E", "#A9BFD4"),
    "low-fill": ("#6D8499", "#8299AE"),
    "low-soft": ("#E9EFF4", "#212B35"),
    # Machine states are greys on purpose; only a fault is coloured.
    "running": ("#7C8A99", "#78879A"),
    "idle": ("#C3CBD3", "#46525F"),
    "off": ("#E4E8EB", "#272E36"),
    "series-1": ("#3F7CBF", "#3F7CBF"),
    "series-2": ("#2E8F86", "#2E8F86"),
    "series-3": ("#8A66C2", "#8A66C2"),
    "series-4": ("#6F7E8F", "#6F7E8F"),
}

# Charts are canvas and cannot follow a theme switch, so they use mid-tones with at least 3:1 on both cards.
CHART: Final = {
    "a": "#3F7CBF",
    "b": "#2E8F86",
    "c": "#8A66C2",
    "d": "#6F7E8F",
    "alarm": "#D9483B",
    "warn": "#CF6F1B",
    "band": "rgba(120,132,146,.10)",
    "grid": "rgba(120,132,146,.22)",
    "anomaly": "rgba(138,102,194,.16)",
    "expected": "rgba(63,124,191,.24)",
}


def text_in_theme(name: str, theme: str | None) -> str:
    """Text inside a chart: no mid-tone has 4.5:1 on both cards, so the theme of this run ("light" or "dark") decides."""
    return TOKENS[name][theme == "dark"]


def css_variables() -> str:
    """Both themes in one stylesheet; the browser chooses by the color-scheme that Streamlit sets on .stApp."""
    return ".stApp{" + "".join(f"--{name}:light-dark({light},{dark});" for name, (light, dark) in TOKENS.items()) + "}"
