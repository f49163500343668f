"""The manifest that most tests start from, and its hosts.

web may open tcp/8080, udp/5353 and more to app, the outside tcp/80 to web;
db is a third service that nobody may open anything to but app tcp/5432.
"""
from lab import Lab

HOSTS = {
    "web1": ("02:00:00:00:01:01", "10.7.0.11/24", "fd07::11/64"),
    "web2": ("02:00:00:00:01:02", "10.7.0.12/24", "fd07::12/64"),
    "app1": ("02:00:00:00:02:01", "10.7.0.21/24", "fd07::21/64"),
    "db1": ("02:00:00:00:03:01", "10.7.0.31/24", "fd07::31/64"),
    "out1": ("02:00:00:00:ff:01", "10.7.0.201/24", "fd07::c1/64"),
    "out2": ("02:00:00:00:ff:02", "10.7.0.202/24", "fd07::c2/64"),
}
SERVICES = {"web": ("web1", "web2"), "app": ("app1",), "db": ("db1",)}
LINKS = """
    <link from="outside" to="web"><tcp port="80"/>
      <icmp type="echo-request"/><icmp6 type="echo-request"/></link>
    <link from="web" to="app">
      <tcp port="8080,9000-9009"/><udp port="5300"/><sctp port="3868"/>
      <protocol number="47"/><icmp type="8"/><icmp6 type="128"/></link>
    <link from="app" to="db"><tcp port="5432"/></link>
"""


def workload(name, host):
    mac, *addresses = host
    text = f'<workload name="{name}" interface="{name}"><mac>{mac}</mac>'
    for address in addresses:
        text += f"<address>{address.split('/')[0]}</address>"
    return text + "</workload>"


def manifest(links=LINKS, mode="enforce", services=None, hosts=None,
             extra="", modes=None):
    services, hosts = services or SERVICES, hosts or HOSTS
    text = f"""<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1">
  <network name="outside"><prefix>10.7.0.192/26</prefix>
    <prefix>fd07::c0/122</prefix></network>{extra}
  <application name="shop" mode="{mode}">"""
    for service, members in services.items():
        special = (modes or {}).get(service)
        text += f'<service name="{service}"' \
            + (f' mode="{special}">' if special else ">")
        text += "".join(workload(name, hosts[name]) for name in members)
        text += "</service>"
    return text + links + "</application></manifest>"


def make_lab(sdfw, push=True, hosts=None, **options):
    the_lab = Lab(sdfw, **options)
    try:
        for name, (mac, *addresses) in (hosts or HOSTS).items():
            the_lab.host(name, mac, *addresses)
        if push:
            the_lab.push(manifest())
    except BaseException:
        the_lab.close()
        raise
    return the_lab
