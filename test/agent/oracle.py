#!/usr/bin/python3
"""What others say of User-Agents, one JSON object a line: {"agent", "ua": [...], "os": [...], "device": [...]}.

    oracle.py cases FILE...   expectations of uap-core's own test files
    oracle.py parse FILE      ua-parser, an independent implementation, on the file's JSON strings, one a line
"""
import json
import sys
import warnings

import yaml

warnings.simplefilter("ignore")
FIELDS = {
    "ua": ["family", "major", "minor", "patch"],
    "os": ["family", "major", "minor", "patch", "patch_minor"],
    "device": ["family", "brand", "model"],
}


def say(agent, **facts):
    print(json.dumps({"agent": agent, **facts}))


def cases(path):
    kind = "device" if "device" in path else "os" if "_os_" in path or "test_os" in path else "ua"
    with open(path, encoding="utf-8") as file:
        found = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["test_cases"]
    for case in found:
        # js_ua: what a script in the page told besides; a header has no such thing
        if not case.get("js_ua"):
            say(case["user_agent_string"], **{kind: [case.get(field) for field in FIELDS[kind]]})


def parse(path):
    from ua_parser import user_agent_parser

    with open(path, encoding="utf-8") as file:
        for line in file:
            agent = json.loads(line)
            # What counts is the first 512 bytes, up to a character's end.
            found = user_agent_parser.Parse(agent.encode()[:512].decode(errors="ignore"))
            say(agent, ua=[found["user_agent"][field] for field in FIELDS["ua"]],
                os=[found["os"][field] for field in FIELDS["os"]],
                device=[found["device"][field] for field in FIELDS["device"]])


if sys.argv[1] == "cases":
    for name in sys.argv[2:]:
        cases(name)
else:
    parse(sys.argv[2])
