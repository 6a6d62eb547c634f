"""The local cloud: a stand-in for AWS on loopback, strict where AWS is strict.

Start it with `python3 tests/cloud/cloud.py --dir D`; see README.md here.
"""
