"""The REST API: one noun per file. It changes nothing itself: services do, and analytics read."""
