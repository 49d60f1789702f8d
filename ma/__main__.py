"""`python -m ma …`"""

from ma.cli import main

main()
