"""Plans as files that a person opens."""
