"""Certificates for tests: CAs and what they sign, made by openssl(1)."""
import os
import types

from lab import run


class Authority:
    """A CA in a directory of its own; 'certificate' is its file."""

    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory)
        self.key, self.certificate = f"{directory}/ca.key", \
            f"{directory}/ca.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-days", "2", "-subj", f"/CN={os.path.basename(directory)}",
            "-keyout", self.key, "-out", self.certificate)

    def sign(self, name, *alternatives, days=2):
        """Makes a key and a certificate for "IP:127.0.0.1" and the like.
        One with negative 'days' has expired."""
        base = f"{self.dir}/{name}"
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj",
            f"/CN={name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        with open(f"{base}.ext", "w") as stream:
            if alternatives:
                stream.write(f"subjectAltName={','.join(alternatives)}\n")
        run("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA",
            self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days",
            str(days), "-extfile", f"{base}.ext", "-out", f"{base}.pem")
        return types.SimpleNamespace(key=f"{base}.key",
                                     certificate=f"{base}.pem")
