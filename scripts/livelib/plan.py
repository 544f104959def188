"""[`write`]: a configuration in a folder, for a user that is nobody."""
USER, GROUP = "nobody", "nogroup"

SPOOLED = """
[sinks.spool]
directory = "{folder}/spool/{name}"
max_bytes = "{max_bytes}"
memory_bytes = "16 MiB"
retry_first = "100ms"
retry_most = "2s"
"""


def file_sink(name, path, more=""):
    return f'[[sinks]]\nname = "{name}"\n[sinks.filter]\nnotices = false\n[sinks.file]\npath = "{path}"\nrotate_bytes = 0\nrotate_after = "0s"\n{more}'


def webhook_sink(name, port, folder, max_bytes="256 MiB"):
    head = f'[[sinks]]\nname = "{name}"\n[sinks.filter]\nnotices = false\n[sinks.webhook]\nurl = "http://127.0.0.1:{port}/"\ntimeout = "3s"\n'
    return head + SPOOLED.format(folder=folder, name=name, max_bytes=max_bytes)


def nats_sink(name, port, folder, max_bytes="256 MiB"):
    head = (f'[[sinks]]\nname = "{name}"\n[sinks.filter]\nnotices = false\n[sinks.nats]\nservers = ["nats://127.0.0.1:{port}"]\n'
            f'subject = "picket.alerts"\nstream = "PICKET"\ntimeout = "3s"\n')
    return head + SPOOLED.format(folder=folder, name=name, max_bytes=max_bytes)


def write(folder, feeds, sinks, workers=1, metrics_port=0, more="", user=USER, flows=1_000_000):
    """The file. Its folder is for all to read; what is written to is made by the sensor."""
    folder.chmod(0o755)
    paths = ", ".join(f'"{feed}"' for feed in feeds)
    privileges = f'[privileges]\nuser = "{user}"\ngroup = "{GROUP}"\n' if user else ""
    metrics = f'listen = "127.0.0.1:{metrics_port}"' if metrics_port else "enabled = false"
    text = (f'[capture]\ninterfaces = ["rx0"]\nworkers = {workers}\n[feeds]\npaths = [{paths}]\nsettle = "200ms"\n[flows]\nmax = {flows}\n'
            f'[metrics]\n{metrics}\n[control]\nsocket = "{folder}/run/control.sock"\n[log]\nlevel = "warn"\n{privileges}{more}\n')
    path = folder / "picket.toml"
    path.write_text(text + "\n".join(sinks))
    path.chmod(0o644)
    return path
