"""The few signs on the pages, drawn on a grid of 24; they only repeat what the words beside them say."""

from markupsafe import Markup

_PATHS = {
    "alert": Markup('<path d="M12 7v6"/><path d="M12 17h.01"/><circle cx="12" cy="12" r="10"/>'),
    "check": Markup('<path d="M5 12.5l5 5L19.5 7"/>'),
    "clock": Markup('<circle cx="12" cy="12" r="10"/><path d="M12 6v6l4 2.5"/>'),
    "cross": Markup('<path d="M6 6l12 12M18 6L6 18"/>'),
    "globe": Markup(
        '<circle cx="12" cy="12" r="10"/><path d="M2 12h20M12 2c3 3 4 6.5 4 10s-1 7-4 10c-3-3-4-6.5-4-10s1-7 4-10z"/>'
    ),
    "lock": Markup('<rect x="4" y="11" width="16" height="10" rx="2"/><path d="M8 11V7a4 4 0 0 1 8 0v4"/>'),
    "speaker": Markup(
        '<rect x="5" y="2" width="14" height="20" rx="2.5"/><circle cx="12" cy="14.5" r="4"/><path d="M12 6h.01"/>'
    ),
}


def icon(name: str) -> Markup:
    """Return a sign of the size of the text around it, which a screen reader passes over."""
    return Markup('<svg viewBox="0 0 24 24" aria-hidden="true">{}</svg>').format(_PATHS[name])


def badge(name: str, kind: str = "") -> Markup:
    """Return a sign in a circle; *kind* is `good`, `bad`, or neither."""
    return Markup('<p class="badge {}">{}</p>').format(kind, icon(name))
