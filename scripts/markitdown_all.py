"""Converts every file that has an expected conversion beside it: markitdown_all.py DIRECTORY OUTPUT."""

import logging
import pathlib
import sys

from markitdown import MarkItDown

logging.disable(logging.WARNING)
directory, output = map(pathlib.Path, sys.argv[1:3])
converter = MarkItDown(enable_plugins=False)
for expected in sorted(directory.glob("*/*.expected.md")):
    source = expected.with_name(expected.name.removesuffix(".expected.md"))
    target = output / source.parent.name / (source.name + ".md")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_text(converter.convert(str(source)).text_content, encoding="utf-8")
    except Exception as error:  # a file it cannot read counts as empty
        print(f"markitdown: {source.name}: {type(error).__name__}", file=sys.stderr)
