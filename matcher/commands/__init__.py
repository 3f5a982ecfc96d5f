"""The commands of `kith` that are more than a few lines; `matcher.cli` puts them together."""
