#!/usr/bin/env python
import os
import sys

from django.core.management import execute_from_command_line

from orderflow.demo.environment import enter
from orderflow.environment.startup import load_settings

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orderflow.settings")
    if sys.argv[1:2] == ["demo"]:
        enter()
    load_settings()
    execute_from_command_line(sys.argv)
