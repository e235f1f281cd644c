#!/usr/bin/env python3
"""Starts a broker and runs kafkajs_test.js on it. Usage: kafkajs_test.py NODE_MODULES"""
import os
import pathlib
import subprocess
import sys

from harness import Broker

with Broker({"group.initial.rebalance.delay.ms": "200"}) as broker:
    code = subprocess.run(["node", str(pathlib.Path(__file__).with_name("kafkajs_test.js")), broker.bootstrap], timeout=120,
                          env={**os.environ, "NODE_PATH": sys.argv[1]}, check=False).returncode
sys.exit(code)
