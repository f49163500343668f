/* The languages of our XML files: see xml-language.h. */

#include "xml-language.h"

#include <string.h>

#include "util.h"

/* Of schemas/, by the linker (Makefile). */
extern const char _binary_schemas_manifest_xsd_start[];
extern const char _binary_schemas_manifest_xsd_end[];
extern const char _binary_schemas_catalogue_xsd_start[];
extern const char _binary_schemas_catalogue_xsd_end[];
extern const char _binary_schemas_inventory_xsd_start[];
extern const char _binary_schemas_inventory_xsd_end[];

#define MANIFEST "urn:ovs-sdfw:manifest:1"
#define CATALOGUE "urn:ovs-sdfw:catalogue:1"
#define INVENTORY "urn:ovs-sdfw:inventory:1"

/* Of openings, which both have. */
static const struct xml_hint opening_hints[] = {
    { "port", "ports such as 443 or 80,443,8000-8100" },
    { "number", "an IP protocol number from 0 to 255" },
    { "type", "an ICMP type: a number from 0 to 255 or a name such as "
              "echo-request" },
    { "code", "an ICMP code from 0 to 255" },
    { "not-before", "a time with its zone such as 2026-12-31T18:00:00Z" },
    { "not-after", "a time with its zone such as 2026-12-31T18:00:00Z" },
};

static const struct xml_hint manifest_hints[] = {
    { "mac", "a MAC such as 52:54:00:12:34:56" },
    { "address", "an address such as 10.0.0.11 or fd00::11" },
    { "prefix", "a prefix such as 10.0.0.0/8 or fd00::/8" },
    { "except", "a prefix such as 10.0.0.0/8 or fd00::/8" },
    { "mode", "learn, audit or enforce" },
    { "forensics", "true or false" },
    { "reasons", "reasons such as \"no-link spoof\": no-link, spoof, vlan, "
                 "ethertype, frame, invalid, revoked, rogue-dhcp, "
                 "rogue-ra, quarantine" },
    { "count", "a number from 1 to 10000" },
    { "within", "a number of seconds from 1 to 86400" },
    { "quarantine", "a number of minutes from 0 (until released) to "
                    "525600" },
    { "capture", "a number of minutes from 1 to 1440" },
    { "max-share", "a percentage from 1 to 100" },
    { "vlan", "a VLAN from 1 to 4094" },
    { "name", "a name such as web-1: at most 63 letters, digits, '.', "
              "'_' and '-', beginning with a letter or digit" },
    { "segment", "the name of a segment, such as blue" },
    { "from", "an end such as web, billing/api or internet" },
    { "to", "an end such as web, billing/api or internet" },
    { "workload", "SERVICE/WORKLOAD such as web/web-1" },
    { "protocol", "tcp, udp, sctp, icmp, icmp6 or a protocol number" },
    { "verdict", "allow or deny" },
    { "external-id", "KEY=VALUE such as vm-name=web-1" },
    { "interface", "the name of an interface such as vnet3" },
    { "iface-id", "the external_ids:iface-id of an interface" },
    { "href", "the name of a file such as parts/web.xml" },
};

const struct xml_language xml_manifest = {
    .root = "manifest",
    .article = "a",
    .levels = 5,
    .namespace = MANIFEST,
    .beginning = "<manifest xmlns=\"" MANIFEST "\" version=\"1\">",
    .schema = _binary_schemas_manifest_xsd_start,
    .schema_end = _binary_schemas_manifest_xsd_end,
    .hints = manifest_hints,
    .n_hints = ARRAY_SIZE(manifest_hints),
};

static const struct xml_hint catalogue_hints[] = {
    { "id", "an id such as telnet: at most 63 small letters, digits and "
            "'-', beginning with a letter" },
    { "class", "the name of a class, such as database" },
    { "names", "words in small letters such as \"db postgres\"" },
    { "calls", "ids or classes of services such as \"dns database\"" },
    { "service", "ids or classes of services such as \"dns database\"" },
    { "from-like", "ids or classes of services such as \"dns database\"" },
    { "from-unlike", "ids or classes of services such as \"dns database\"" },
    { "to-like", "ids or classes of services such as \"dns database\"" },
    { "to-unlike", "ids or classes of services such as \"dns database\"" },
    { "called-by-all", "true or false" },
    { "on-any-host", "true or false" },
    { "verdict", "known-good, unusual or dangerous" },
    { "score", "a number from 0 to 100" },
    { "relation", "some of same-service, same-application and "
                  "other-application" },
    { "server-name", "same or other" },
    { "call", "\"expected\" or \"unexpected\"" },
    { "title", "a text of 1 to 1024 characters" },
    { "reason", "a text of 1 to 1024 characters" },
    { "ticket", "a text of 1 to 1024 characters" },
    { "explanation", "a text of 1 to 1024 characters" },
    { "instead", "a text of 1 to 1024 characters" },
    { "min-ports", "a number from 1 to 65536" },
    { "rare", "a percentage from 1 to 100" },
    { "common", "a percentage from 1 to 100" },
    { "among", "a number from 2 to 65535" },
    { "replicas", "a percentage from 1 to 99" },
};

#define ENDS "some of service, network, inside, outside and everywhere"

/* What the same name means in one element only. */
static const struct {
    const char *element, *name, *hint;
} special_hints[] = {
    { "manifest", "version", "1, the version of the manifest language" },
    { "catalogue", "version", "1, the version of the catalogue language" },
    { "inventory", "version", "1, the version of the inventory language" },
    { "expect", "port", "one port from 0 to 65535" },
    { "rule", "from", ENDS },
    { "rule", "to", ENDS },
    { "accept-risk", "rule", "ids of rules, such as \"telnet rare\"" },
    { "accept-risk", "from", "an end such as shop/web or internet, or * for "
                             "any" },
    { "accept-risk", "to", "an end such as shop/web or internet, or * for "
                           "any" },
};

const struct xml_language xml_catalogue = {
    .root = "catalogue",
    .article = "a",
    .levels = 5,
    .namespace = CATALOGUE,
    .beginning = "<catalogue xmlns=\"" CATALOGUE "\" version=\"1\">",
    .schema = _binary_schemas_catalogue_xsd_start,
    .schema_end = _binary_schemas_catalogue_xsd_end,
    .hints = catalogue_hints,
    .n_hints = ARRAY_SIZE(catalogue_hints),
};

static const struct xml_hint inventory_hints[] = {
    { "name", "a name such as web-1: at most 63 letters, digits, '.', "
              "'_' and '-', beginning with a letter or digit" },
    { "db", "unix:FILE, tcp:HOST[:PORT] or ssl:HOST[:PORT]" },
    { "openflow", "unix:FILE, tcp:HOST[:PORT] or ssl:HOST[:PORT]" },
    { "group", "canary" },
    { "private-key", "the name of a file in PEM" },
    { "certificate", "the name of a file in PEM" },
    { "ca-cert", "the name of a file in PEM" },
};

const struct xml_language xml_inventory = {
    .root = "inventory",
    .article = "an",
    .levels = 3,
    .namespace = INVENTORY,
    .beginning = "<inventory xmlns=\"" INVENTORY "\" version=\"1\">",
    .schema = _binary_schemas_inventory_xsd_start,
    .schema_end = _binary_schemas_inventory_xsd_end,
    .hints = inventory_hints,
    .n_hints = ARRAY_SIZE(inventory_hints),
};

static const char *
find_hint(const struct xml_hint hints[], size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(hints[i].name, name)) {
            return hints[i].hint;
        }
    }
    return NULL;
}

const char *
xml_language_hint(const struct xml_language *language, const char *element,
                  const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(special_hints); i++) {
        if (!strcmp(special_hints[i].element, element)
            && !strcmp(special_hints[i].name, name)) {
            return special_hints[i].hint;
        }
    }
    const char *hint = find_hint(language->hints, language->n_hints, name);
    if (!hint) {
        hint = find_hint(opening_hints, ARRAY_SIZE(opening_hints), name);
    }
    return hint ? hint : "a text of at most 1024 characters";
}
