"""The policies that ship, one TOML file each; how such files are read, told in words, and compared."""
