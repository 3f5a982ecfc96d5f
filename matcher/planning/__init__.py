"""From an instance to its plan: what is maximised, what stays as agreed, what is searched, what a choice costs."""
