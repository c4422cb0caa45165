"""Code scanners that send text: decoding, serial ports and simulators."""
