"""A page with nothing on it."""

import panel as pn

pn.pane.Str("nothing").servable()
