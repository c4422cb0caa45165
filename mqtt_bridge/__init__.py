"""Everything that crosses the network: messages, mailbox, relay and the cloud's reconciler."""
