"""What ``thexp-pl show`` prints of one run, a module a section."""
