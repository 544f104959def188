"""What scripts/live_test.sh runs: `picket watch` in a network namespace of its own. One module a part; python3's standard library alone."""
