"""Properties over many generated records, documents and changes."""
