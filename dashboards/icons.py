"""Small shapes as CSS masks: st.html strips <svg>, a mask keeps them sharp and coloured by the text."""

from typing import Final

_STROKE = "fill='none' stroke='#000' stroke-width='1.7' stroke-linecap='round' stroke-linejoin='round'"
_RING = "<circle cx='8' cy='8' r='6' fill='none' stroke='#000' stroke-width='1.6'/>"
SHAPES: Final = {
    "critical": "<path fill-rule='evenodd' d='M5 1h6l4 4v6l-4 4H5l-4-4V5zM7.1 4v5h1.8V4zM7.1 10.4v1.9h1.8v-1.9z'/>",
    "high": "<path fill-rule='evenodd' d='M8 .9l7.6 13.7H.4zM7.1 5.6v4.6h1.8V5.6zM7.1 11.3v1.8h1.8v-1.8z'/>",
    "medium": "<path fill-rule='evenodd' d='M8 .6L15.4 8 8 15.4.6 8zM7.1 4.2v4.6h1.8V4.2zM7.1 10v1.8h1.8V10z'/>",
    "low": _RING + "<path d='M7.1 7h1.8v4.4H7.1zM7.1 4.4h1.8v1.7H7.1z'/>",
    "running": "<path d='M4 2.4L13.4 8 4 13.6z'/>",
    "idle": "<path d='M3.6 3h3.2v10H3.6zM9.2 3h3.2v10H9.2z'/>",
    "fault": (
        "<path fill-rule='evenodd' d='M1.5 1.5h13v13h-13z"
        "M5.2 4L4 5.2 6.8 8 4 10.8 5.2 12 8 9.2l2.8 2.8 1.2-1.2L9.2 8 12 5.2 10.8 4 8 6.8z'/>"
    ),
    "off": _RING,
    "offline": f"<path {_STROKE} stroke-dasharray='2.4 2.6' d='M8 2a6 6 0 1 1-.01 0M3 13L13 3'/>",
    "check": f"<path {_STROKE} d='M3 8.6l3.3 3.3L13 4.6'/>",
    "clock": _RING + f"<path {_STROKE} d='M8 4.6V8l2.3 1.5'/>",
    "up": f"<path {_STROKE} d='M8 13.4V3M3.8 7L8 2.8 12.2 7'/>",
    "down": f"<path {_STROKE} d='M8 2.6V13M3.8 9L8 13.2 12.2 9'/>",
    "right": f"<path {_STROKE} d='M6 3l5 5-5 5'/>",
    "left": f"<path {_STROKE} d='M10 3L5 8l5 5'/>",
    "live": "<circle cx='8' cy='8' r='4'/>",
    "rule": f"<path {_STROKE} d='M2.5 4.5h5M2.5 11.5h5M10 4.2l1.4 1.4L14 3M10 11.2l1.4 1.4L14 10'/>",
    "wrench": f"<path {_STROKE} d='M9.6 6.4a3.4 3.4 0 0 1 4.3-4.3L11.8 4.2l.4 1.5 1.5.3 1.8-2M9.6 6.4L2.6 13.4'/>",
    "lock": f"<path {_STROKE} d='M3.5 7.2h9v6.6h-9zM5.3 7V5a2.7 2.7 0 0 1 5.4 0v2'/>",
    "bolt": "<path d='M9 1L3 9.2h4L6.4 15 13 6.4H8.8z'/>",
    "grid": f"<path {_STROKE} d='M2.5 2.5h4.4v4.4H2.5zM9.1 2.5h4.4v4.4H9.1zM2.5 9.1h4.4v4.4H2.5zM9.1 9.1h4.4v4.4H9.1z'/>",
    "machine": f"<path {_STROKE} d='M2.5 13.5h11M4 13.5v-9h4v3h4v6M6 2.5v2M10 10.5v.1'/>",
    "bell": f"<path {_STROKE} d='M3.4 11.6c1-1 1.2-2.2 1.2-4.2a3.4 3.4 0 0 1 6.8 0c0 2 .2 3.2 1.2 4.2zM6.8 13.9h2.4'/>",
    "power-off": f"<path {_STROKE} d='M8 2v6M4.6 4.2a5.4 5.4 0 1 0 6.8 0'/>",
    "search": f"<path {_STROKE} d='M10.4 10.4L14 14M11.6 6.8a4.8 4.8 0 1 1-9.6 0 4.8 4.8 0 0 1 9.6 0'/>",
    "comment": f"<path {_STROKE} d='M2.5 3h11v8H7l-3 2.6V11H2.5z'/>",
    "mail": f"<path {_STROKE} d='M2 3.5h12v9H2zM2 4l6 5 6-5'/>",
    "plus": f"<path {_STROKE} d='M8 3v10M3 8h10'/>",
    "more": "<path d='M2.4 6.6h2.8v2.8H2.4zM6.6 6.6h2.8v2.8H6.6zM10.8 6.6h2.8v2.8h-2.8z'/>",
}


def mask(body: str, box: str = "0 0 16 16", *, stretch: bool = False) -> str:
    """A CSS url(...) of one small drawing."""
    ratio = " preserveAspectRatio='none'" if stretch else ""
    drawing = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='{box}'{ratio}>{body}</svg>"
    # Only what may not stand inside a quoted url(): quoting everything else too would cost a third of each refresh.
    quoted = drawing.replace("%", "%25").replace("<", "%3C").replace(">", "%3E").replace("#", "%23").replace('"', "%22")
    return f'url("data:image/svg+xml,{quoted}")'


def css() -> str:
    """One class per shape."""
    return "".join(f".ic-{name}{{--i:{mask(body)}}}" for name, body in SHAPES.items())
