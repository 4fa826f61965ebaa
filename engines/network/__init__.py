"""The network of a run: a device that leads nowhere, and the record of everything that tried to use it."""
