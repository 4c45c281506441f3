"""Back ends of the built-in network: each runs it by another library, with the same answer. See `network.Network`."""
