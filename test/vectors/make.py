#!/usr/bin/python3
"""Makes the folders here, one a case: config.yaml, in.pcap, out.pcap, verdicts.jsonl and about.md.

    make.py [--kernel] [--into FOLDER] [CASE…]

Expected packets are built by scapy, from fields and with every checksum computed in full. With --kernel they are
what the kernel's own NAT makes of the same input, for those cases that are only requests and answers; both ways
give the same bytes (vectors.test.ts), so the committed folders stand for both. Needs Debian's python3-scapy, and
root for --kernel. Nothing here uses onehop's code; times and identifications are fixed."""
import argparse
import os
import shutil
import sys
from contextlib import closing, nullcontext
from inspect import getdoc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, '..', 'support', 'vectors'))

import cases  # noqa: E402, F401
from kernel import KernelTranscript, Router  # noqa: E402
from transcript import CASES, Transcript  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--kernel', action='store_true')
    parser.add_argument('--into', default=HERE)
    parser.add_argument('cases', nargs='*', metavar='CASE')
    options = parser.parse_args()
    names = [name for name, *_ in CASES]
    assert len(set(names)) == len(names), 'two cases of one name'
    unknown = set(options.cases) - set(names)
    if unknown:
        parser.error(f'no case {", ".join(sorted(unknown))}')
    with closing(Router()) if options.kernel else nullcontext() as router:
        for name, function, family, is_for_kernel in CASES:
            if (not options.cases or name in options.cases) and (is_for_kernel or not options.kernel):
                make(name, function, family, router, options.into)


def make(name, function, family, router, into):
    transcript = KernelTranscript(family, router) if router else Transcript(family)
    try:
        function(transcript, family)
    except Exception as error:
        error.add_note(f'case {name}')
        raise
    folder = os.path.join(into, name)
    shutil.rmtree(folder, ignore_errors=True)
    transcript.write(folder, getdoc(function) + '\n')


main()
