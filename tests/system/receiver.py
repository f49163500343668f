"""A real rsyslogd that writes what it gets to a file, as JSON lines."""
import json
import os
import socket
import subprocess

from daemon import until

CONFIG = """
module(load="imudp") module(load="imtcp") module(load="imuxsock"
  SysSock.Use="off")
global(workDirectory="{dir}")
template(name="line" type="list" option.jsonf="on") {{
  property(outname="severity" name="syslogseverity" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imtcp" address="127.0.0.1" port="{port}")
input(type="imuxsock" socket="{dir}/log.sock")
action(type="omfile" file="{dir}/received.json" template="line")
"""


TLS_CONFIG = """
global(workDirectory="{dir}" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
  streamDriver.authMode="{mode}")
{template}
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{dir}/received.json" template="line")
"""
TEMPLATE = CONFIG[CONFIG.index("template("):CONFIG.index("input(")]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Rsyslogd:
    def __init__(self, directory, name="rsyslog"):
        self.dir = f"{directory}/{name}"
        os.makedirs(self.dir, exist_ok=True)
        self.port = free_port()
        self.socket = f"{self.dir}/log.sock"
        self.process = None
        with open(f"{self.dir}/rsyslog.conf", "w") as stream:
            stream.write(CONFIG.format(dir=self.dir, port=self.port))

    def start(self):
        log = open(f"{self.dir}/rsyslogd.log", "a")
        self.process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", f"{self.dir}/rsyslog.conf", "-i",
             f"{self.dir}/pid"], stdout=log, stderr=log)
        until(self.listens, "rsyslogd listens")

    def listens(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def received(self):
        if not os.path.exists(f"{self.dir}/received.json"):
            return []
        with open(f"{self.dir}/received.json") as stream:
            return [json.loads(line) for line in stream if line.strip()]


class TlsRsyslogd(Rsyslogd):
    """Over TLS, with the certificate 'pair' (pki.py); if 'clients', another
    Authority, is given, clients need a certificate of it."""

    def __init__(self, directory, pair, clients=None):
        super().__init__(directory, "rsyslog-tls")
        self.use(pair, clients)

    def use(self, pair, clients=None):
        config = TLS_CONFIG.format(
            dir=self.dir, port=self.port, key=pair.key,
            certificate=pair.certificate, template=TEMPLATE.format(),
            ca=clients.certificate if clients else pair.certificate,
            mode="x509/certvalid" if clients else "anon")
        with open(f"{self.dir}/rsyslog.conf", "w") as stream:
            stream.write(config)

    def restart(self, *arguments):
        self.stop()
        self.use(*arguments)
        self.start()
