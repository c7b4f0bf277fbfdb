"""The command line: `main` dispatches; training on LightningCLI, reading without it."""
