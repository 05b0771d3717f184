"""Where it lives: Git objects, snapshots, changes, proposals and the verified history of one registry."""
