#!/usr/bin/env python3
"""Adds up ctest's results: summarize.py NAME=FILE.xml … Lists every skip with its reason and every failure; the last line counts."""
import sys
import xml.etree.ElementTree as xml

passed = failed = skipped = 0
for argument in sys.argv[1:]:
    name, path = argument.split("=", 1)
    try:
        cases = list(xml.parse(path).getroot().iter("testcase"))
    except (OSError, xml.ParseError) as error:
        print(f"FAILED  {name}: no results: {error}")
        failed += 1
        continue
    for case in cases:
        test = f"{name}: {case.get('name')}"
        lines = [line for line in (case.findtext("system-out") or "").splitlines() if line.strip()]
        # Tests inside a program may be skipped too, and say so.
        inner = [line for line in lines if line.startswith("skipped:")]
        if case.get("status") == "run":
            passed += 1
            for line in inner:
                print(f"skipped {test}, in part: {line.removeprefix('skipped:').strip()}")
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
            print(f"skipped {test}: {lines[-1].removeprefix('skipped:').strip() if lines else 'no reason given'}")
        else:
            failed += 1
            print(f"FAILED  {test}")
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
