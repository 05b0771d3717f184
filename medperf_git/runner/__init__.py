"""What runs: plans, engines, sandbox, collection, reduction and durable run state."""
