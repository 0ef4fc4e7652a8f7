#!/usr/bin/env python3
"""Adds up ctest's results: summarize.py RUN=FILE.xml … [--left-out RUN:TEST=REASON …]

Lists every skip with its reason and every failure; the last line counts. A test that could not run is a failure: only exit status 77
is a skip.
"""
import sys
import xml.etree.ElementTree as xml

SKIPPED = "SKIP_RETURN_CODE=77"


def read(path):
    """(name, "passed" | "skipped" | "failed", lines of output) of each test in a file."""
    for case in xml.parse(path).getroot().iter("testcase"):
        lines = [line.strip() for line in (case.findtext("system-out") or "").splitlines() if line.strip()]
        skip = case.find("skipped")
        if case.get("status") == "run":
            yield case.get("name"), "passed", lines
        elif skip is not None and skip.get("message") == SKIPPED:
            yield case.get("name"), "skipped", lines
        else:
            yield case.get("name"), "failed", lines or [skip.get("message") if skip is not None else "no output"]


def main():
    count = {"passed": 0, "failed": 0, "skipped": 0}
    arguments = sys.argv[1:]
    while arguments:
        what = arguments.pop(0)
        if what == "--left-out":
            test, reason = arguments.pop(0).split("=", 1)
            print(f"skipped {test.replace(':', ': ', 1)}: {reason}")
            count["skipped"] += 1
            continue
        run, path = what.split("=", 1)
        try:
            cases = list(read(path))
        except (OSError, xml.ParseError) as error:
            cases = [("results", "failed", [str(error)])]
        for name, result, lines in cases:
            count[result] += 1
            reasons = [line.removeprefix("skipped:").strip() for line in lines]
            if result == "skipped":
                print(f"skipped {run}: {name}: {reasons[-1] if reasons else 'no reason given'}")
            elif result == "failed":
                print(f"FAILED  {run}: {name}: {lines[-1]}")
            else:  # cases inside a program may be skipped too, and say so
                for line, reason in zip(lines, reasons):
                    if line != reason:
                        print(f"skipped {run}: {name}, in part: {reason}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if count["failed"] or not sum(count.values()) else 0


sys.exit(main())
