"""The gallery of a study: a page that shows all slides, and the routes behind it."""
