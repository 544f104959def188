"""Builds the fixture captures: packets (wire), conversations (flows), messages (dns, tls), files, and one module of cases a topic."""
