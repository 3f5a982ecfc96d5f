"""The rooms behind `matcher.solver`: arrays and integers, never children."""
