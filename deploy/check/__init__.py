"""`latchkey check`: plays Sonos to any SMAPI service, and says where its authentication differs from what Sonos expects.

A client of anybody's server: nothing here knows anything of the gateway. One file per group of checks (`*_checks.py`), all of
them in one table (`table.py`); what they find is data (`report.py`); how that is shown is `render.py`.
"""
