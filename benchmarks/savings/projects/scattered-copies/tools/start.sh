#!/bin/sh
/opt/report/bin/check.sh && cat /opt/report/share/names.txt
