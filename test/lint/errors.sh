#!/bin/bash
# Every ereport(ERROR or FATAL, …) says its SQLSTATE: without one a client sees XX000 and cannot tell what to do.
cd "$(dirname "$0")/../.." || exit 1
perl -0777 -ne 'while (/\bereport\((?:ERROR|FATAL)(?:[^;"]|"(?:\\.|[^"\\])*")*;/g) {
    my ($call, $line) = ($&, 1 + (substr($_, 0, $-[0]) =~ tr/\n//));
    print "$ARGV:$line: an ereport without errcode\n" unless $call =~ /\berrcode/;
}' src/*.c src/*/*.c | grep . && exit 1
exit 0
