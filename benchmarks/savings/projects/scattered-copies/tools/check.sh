#!/bin/sh
test -s /opt/report/share/places.txt
