"""What is written: text ↔ values, names, models, layout, schemas and findings."""
