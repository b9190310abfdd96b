#!/usr/bin/env python3
"""Compiles onehop.bpf.c and writes it as a C++ array; with --check only says, 1 or 0, whether that can be done here."""
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# linux/types.h needs the asm/ headers, which Debian keeps by machine and clang does not look for when it compiles for eBPF.
FLAGS = ['-target', 'bpf', '-mcpu=v3', '-O2', '-g', '-Wall', '-idirafter', f'/usr/include/{platform.machine()}-linux-gnu']


def can_build():
    if shutil.which('clang') is None or shutil.which('g++') is None:
        return False
    headers = '#include <bpf/libbpf.h>\n#include <bpf/bpf_helpers.h>\n'
    return subprocess.run(['g++', '-E', '-x', 'c++', '-'], input=headers, text=True, capture_output=True).returncode == 0


def layout():
    """Another one for whatever may change what maps hold, so that nobody has to think of it."""
    return hashlib.sha256((HERE / 'maps.h').read_bytes()).hexdigest()[:12]


def build(path):
    compiled = Path(path).with_suffix('.o')
    subprocess.run(['clang', *FLAGS, '-c', HERE / 'onehop.bpf.c', '-o', compiled], check=True)
    content = compiled.read_bytes()
    rows = [', '.join(map(str, content[at:at + 24])) for at in range(0, len(content), 24)]
    Path(path).write_text(
        'extern const unsigned char onehop_bpf_object[];\nextern const unsigned long onehop_bpf_object_length;\n'
        'alignas(8) const unsigned char onehop_bpf_object[] = {\n' + ',\n'.join(rows) + '};\n'
        f'const unsigned long onehop_bpf_object_length = {len(content)};\n'
        'extern const char onehop_bpf_layout[];\n'
        f'const char onehop_bpf_layout[] = "{layout()}";\n')


if sys.argv[1:] == ['--check']:
    print(int(can_build()))
else:
    build(sys.argv[1])
