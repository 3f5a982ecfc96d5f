"""An analyst's tools: hundreds of plans under other weights, and pictures of what they show."""
