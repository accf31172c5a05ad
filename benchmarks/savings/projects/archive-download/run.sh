#!/bin/sh
ls /usr/local/tool
