"""What tests share: people with fixed keys, a clock, registries; nothing here is shipped."""
