/* The topology in force, what of it is where, and how much its links are
 * used, as JSON.  Pure.  docs/looking-in.md describes the members. */

#ifndef SDFW_TOPOLOGY_JSON_H
#define SDFW_TOPOLOGY_JSON_H 1

struct daemon;
struct json;

/* The caller destroys what is returned. */
struct json *topology_to_json(const struct daemon *, long long int now_ms);

#endif /* topology-json.h */
