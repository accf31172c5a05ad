#!/bin/sh
curl --version && git --version && sqlite3 --version && jq --version
