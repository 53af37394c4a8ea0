"""Who may open each page: what tests/dashboards/test_page_rights.py expects. A new page needs a line here."""

TABLE = {
    "account": "look",
    "alerts": "look",
    "analytics": "look",
    "availability": "look",
    "energy": "look",
    "machine": "look",
    "machines": "look",
    "more": "look",
    "overview": "look",
    "reports": "look",
    "rule": "look",
    "rules": "look",
    "settings": "work",
    "system": "work",
    "users": "super_admin",
    "wall": "look",
}
