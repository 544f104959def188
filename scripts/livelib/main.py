"""Runs the parts that are named, in the namespaces that scripts/live_test.sh has made."""
import subprocess
import sys

from . import sensor

PARTS = ("same", "loss", "soak", "crash", "privileges")


def main():
    options = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    parts = [word for word in sys.argv[1:] if "=" not in word]
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"there is no {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    if not parts:
        parts, options["short"] = ["same", "crash", "privileges"], "yes"
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    net, failed = sensor.Net(), []
    for part in parts:
        print(f"== {part}", flush=True)
        module = __import__(f"livelib.{part}", fromlist=["main"])
        if not module.main(net, options):
            failed.append(part)
    print(f"FAILED: {', '.join(failed)}" if failed else "all passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
