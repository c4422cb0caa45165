import signal
import sys

from image.command import main

# As whoever types Ctrl-C: programs that run end with the build.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
sys.exit(main())
