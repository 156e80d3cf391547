# What docs/action-file.md names in its binding.
