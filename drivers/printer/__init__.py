"""Receipt printers: documents, the ESC/POS encoder, transports and a simulator."""
