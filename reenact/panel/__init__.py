"""The panel: a page in the browser and a protocol that change a live run while it runs."""
