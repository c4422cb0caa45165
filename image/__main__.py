import sys

from image.command import main

sys.exit(main())
