"""python -m matcher is kith."""

from matcher.cli import main

main()
