"""From a card that is set up wrong to a box office on a board with 512 MB, which goes on without its cable and with a full disk."""
