/* Statements whether workloads conform: see attest.h. */

#include "attest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openflow/openflow.h>
#include <openvswitch/dynamic-string.h>
#include <openvswitch/json.h>

#include "byte-order.h"
#include "dsse.h"
#include "flow.h"
#include "names.h"
#include "overlay.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* How many flows a statement names. */
#define MAX_NAMED 5

static const char *const reason_names[] = { REASON_NAMES };

/* What is the same for all workloads of a bridge. */
struct findings {
    const struct topology *topology;
    const struct push_result *result;
    const char *host;
    time_t now;
    char policy[SHA256_HEX_SIZE];
    size_t n_policy;            /* Flows. */
    uint64_t (*deviating)[N_REASONS]; /* By port: packets that learned flows
                                       * absorbed, and the first of each. */
    struct names *names;
};

/* Of one workload. */
struct subject {
    const struct workload *workload;
    uint16_t port;
    size_t missing, altered, added, foreign;
    struct json *flows;
    const uint64_t *deviating;  /* By reason. */
    const struct quarantine *quarantine;
};

const char *
attest_verdict_to_string(enum attest_verdict verdict)
{
    switch (verdict) {
    case ATTEST_CONFORMS: return "conforms";
    case ATTEST_QUARANTINED: return "quarantined";
    case ATTEST_DEVIATES: return "deviates";
    }
    OVS_NOT_REACHED();
}

/* The policy. */

static int
kind_of(const struct flow_record *flow)
{
    return flow->cookie >> COOKIE_KIND_SHIFT & 0xff;
}

/* SHA-256 over the flows in their order of output, but for those that expire
 * or tell sdfwd: table, priority, cookie, match and instructions of each, as
 * OpenFlow 1.4 encodes them. */
static void
digest_policy(struct findings *f)
{
    struct flow_set sorted;
    struct ds bytes = DS_EMPTY_INITIALIZER;
    const struct flow_set *wanted = &f->result->wanted;
    flow_set_init(&sorted, wanted->table_base);
    for (size_t i = 0; i < wanted->n; i++) {
        int kind = kind_of(&wanted->flows[i]);
        if (kind != ORIGIN_ADOPT && kind != ORIGIN_REPORT) {
            flow_set_add_copy(&sorted, wanted, &wanted->flows[i], 0);
        }
    }
    flow_set_sort(&sorted);
    for (size_t i = 0; i < sorted.n; i++) {
        const struct flow_record *flow = &sorted.flows[i];
        const ovs_be16 priority = htons(flow->priority);
        const ovs_be64 cookie = htonll(flow->cookie);
        ds_put_char(&bytes, flow->table);
        ds_put_buffer(&bytes, (const char *) &priority, sizeof priority);
        ds_put_buffer(&bytes, (const char *) &cookie, sizeof cookie);
        ds_put_buffer(&bytes, flow_record_match(&sorted, flow),
                      flow->match_len + flow->actions_len);
    }
    sha256_hex(ds_cstr(&bytes), bytes.length, f->policy);
    f->n_policy = sorted.n;
    ds_destroy(&bytes);
    flow_set_destroy(&sorted);
}

/* Flows. */

/* Does 'flow', which differs, concern 'workload'?  One that is another
 * workload's, or of a link that it has no part in, does not; what is not
 * known to be somebody's is everybody's. */
static bool
concerns(const struct flow_record *flow, const struct workload *workload)
{
    if (flow->command == OFPFC_DELETE_STRICT || !flow->origin.object) {
        return true;
    } else if (flow->origin.kind == ORIGIN_WORKLOAD) {
        return flow->origin.object == workload;
    } else if (flow->origin.kind == ORIGIN_LINK) {
        const struct link *link = flow->origin.object;
        return (link->from.service
                && workload_is_in(workload, link->from.service))
               || (link->to.service
                   && workload_is_in(workload, link->to.service));
    }
    return true;
}

static void
name_flow(const struct findings *f, struct subject *s, const char *change,
          const struct flow_set *set, const struct flow_record *flow,
          bool foreign)
{
    if (json_array(s->flows)->n >= MAX_NAMED) {
        return;
    }
    struct ds text = DS_EMPTY_INITIALIZER, what = DS_EMPTY_INITIALIZER;
    flow_record_format(&text, set, flow, false);
    if (foreign) {
        ds_put_cstr(&what, "another's cookie");
    } else {
        names_describe_flow(f->names, &what, set, flow);
    }
    struct json *json = json_object_create();
    json_object_put_string(json, "change", change);
    json_object_put_string(json, "flow", ds_cstr(&text));
    json_object_put_string(json, "of", ds_cstr(&what));
    json_array_add(s->flows, json);
    ds_destroy(&text);
    ds_destroy(&what);
}

static void
look_at_flows(const struct findings *f, struct subject *s)
{
    const struct flow_set *changes = &f->result->changes;
    for (size_t i = 0; i < changes->n; i++) {
        const struct flow_record *flow = &changes->flows[i];
        if (kind_of(flow) == ORIGIN_ADOPT || !concerns(flow, s->workload)) {
            continue;
        }
        const char *change = flow->command == OFPFC_ADD ? "missing"
                             : flow->command == OFPFC_DELETE_STRICT ? "added"
                             : "altered";
        s->missing += flow->command == OFPFC_ADD;
        s->added += flow->command == OFPFC_DELETE_STRICT;
        s->altered += flow->command == OFPFC_MODIFY_STRICT;
        name_flow(f, s, change, changes, flow, false);
    }
    const struct flow_set *foreign = &f->result->foreign;
    s->foreign = foreign->n;
    for (size_t i = 0; i < foreign->n; i++) {
        name_flow(f, s, "foreign", foreign, &foreign->flows[i], true);
    }
}

static void
count_deviations(struct findings *f)
{
    const struct flow_set *installed = &f->result->installed;
    f->deviating = xcalloc(PORT_MAX, sizeof *f->deviating);
    for (size_t i = 0; i < installed->n; i++) {
        const struct flow_record *flow = &installed->flows[i];
        if (kind_of(flow) != ORIGIN_LEARNED) {
            continue;
        }
        struct match match;
        struct ofpbuf ofpacts;
        flow_record_decode(installed, flow, &match, &ofpacts);
        uint8_t reason = match.flow.regs[REG_FLAGS] >> FLAG_REASON;
        uint16_t port = ofp_to_u16(match.flow.in_port.ofp_port);
        if (port < PORT_MAX && reason < N_REASONS) {
            f->deviating[port][reason] += flow->n_packets + 1;
        }
        ofpbuf_uninit(&ofpacts);
    }
}

/* The statement. */

static void
put_text(struct json *json, const char *name, const char *text)
{
    json_object_put_string(json, name, text);
}

static void
put_number(struct json *json, const char *name, long long int number)
{
    json_object_put(json, name, json_integer_create(number));
}

/* Takes 'text'. */
static void
put_own_text(struct json *json, const char *name, char *text)
{
    json_object_put(json, name, json_string_create_nocopy(text));
}

static void
put_time(struct json *json, const char *name, time_t time)
{
    put_own_text(json, name, xastrftime_msec("%Y-%m-%dT%H:%M:%SZ",
                                             time * 1000LL, true));
}

static struct json *
sha256_to_json(const char *hex)
{
    struct json *json = json_object_create();
    json_object_put_string(json, "sha256", hex);
    return json;
}

static struct json *
manifests_to_json(const struct topology *topology)
{
    struct json *json = json_array_create_empty();
    const struct shash_node **nodes = shash_sort(&topology->files);
    for (size_t i = 0; i < shash_count(&topology->files); i++) {
        if (nodes[i]->data) {
            struct json *file = json_object_create();
            put_text(file, "name", nodes[i]->name);
            json_object_put(file, "digest", sha256_to_json(nodes[i]->data));
            json_array_add(json, file);
        }
    }
    free(nodes);
    return json;
}

static struct json *
identity_to_json(const struct workload *workload)
{
    struct json *json = json_object_create();
    struct json *macs = json_array_create_empty();
    struct json *addresses = json_array_create_empty();
    for (size_t i = 0; i < workload->n_macs; i++) {
        json_array_add(macs, json_string_create_nocopy(xasprintf(
            ETH_ADDR_FMT, ETH_ADDR_ARGS(workload->macs[i]))));
    }
    for (size_t i = 0; i < workload->n_addresses; i++) {
        json_array_add(addresses, json_string_create_nocopy(
                           address_to_string(&workload->addresses[i])));
    }
    put_own_text(json, "binding", binding_to_string(workload));
    put_text(json, "segment", workload->home->segment->name);
    json_object_put(json, "macs", macs);
    json_object_put(json, "addresses", addresses);
    return json;
}

static struct json *
flows_to_json(const struct findings *f, const struct subject *s)
{
    struct json *json = json_object_create();
    put_number(json, "expected", f->n_policy);
    put_number(json, "missing", s->missing);
    put_number(json, "altered", s->altered);
    put_number(json, "added", s->added);
    put_number(json, "foreign", s->foreign);
    json_object_put(json, "first", json_clone(s->flows));
    return json;
}

static struct json *
deviations_to_json(const struct subject *s)
{
    struct json *json = json_object_create();
    for (size_t i = 0; i < N_REASONS; i++) {
        if (s->deviating[i]) {
            put_number(json, reason_names[i], s->deviating[i]);
        }
    }
    return json;
}

static struct json *
predicate_to_json(const struct findings *f, const struct subject *s,
                  const struct attestation *a)
{
    struct json *json = json_object_create();
    const struct service *home = s->workload->home;
    put_time(json, "time", f->now);
    put_text(json, "verdict", attest_verdict_to_string(a->verdict));
    put_text(json, "why", a->why);
    put_text(json, "host", f->host);
    put_text(json, "bridge", f->result->target);
    put_number(json, "port", s->port);
    put_text(json, "mode", mode_to_string(
                 overlay_service_mode(f->result->ports->overlay, home)));
    json_object_put(json, "identity", identity_to_json(s->workload));
    json_object_put(json, "manifests", manifests_to_json(f->topology));
    json_object_put(json, "flows", flows_to_json(f, s));
    json_object_put(json, "deviating_packets", deviations_to_json(s));
    if (s->quarantine) {
        put_text(json, "quarantine", s->quarantine->reason);
        if (s->quarantine->until) {
            put_time(json, "quarantine_until", s->quarantine->until);
        }
    }
    return json;
}

static struct json *
statement_to_json(const struct findings *f, const struct subject *s,
                  const struct attestation *a)
{
    struct json *subject = json_object_create();
    put_own_text(subject, "name", workload_path(s->workload));
    json_object_put(subject, "digest", sha256_to_json(f->policy));
    struct json *json = json_object_create();
    put_text(json, "_type", ATTEST_STATEMENT_TYPE);
    json_object_put(json, "subject", json_array_create_1(subject));
    put_text(json, "predicateType", ATTEST_PREDICATE_TYPE);
    json_object_put(json, "predicate", predicate_to_json(f, s, a));
    return json;
}

static void
add_count(struct ds *why, size_t n, const char *what)
{
    if (n) {
        ds_put_format(why, "%s%"PRIuSIZE" flows %s", why->length ? ", " : "",
                      n, what);
    }
}

static void
judge(const struct subject *s, struct attestation *a)
{
    struct ds why = DS_EMPTY_INITIALIZER;
    add_count(&why, s->missing, "missing");
    add_count(&why, s->altered, "altered");
    add_count(&why, s->added, "added");
    add_count(&why, s->foreign, "of others may come first");
    bool flows_differ = why.length;
    for (size_t i = 0; i < N_REASONS; i++) {
        /* Who answers one in quarantine has done nothing. */
        if (s->deviating[i] && i != REASON_QUARANTINE) {
            ds_put_format(&why, "%s%"PRIu64" packets %s",
                          why.length ? ", " : "", s->deviating[i],
                          reason_names[i]);
        }
    }
    a->verdict = flows_differ ? ATTEST_DEVIATES
                 : s->quarantine ? ATTEST_QUARANTINED
                 : why.length ? ATTEST_DEVIATES : ATTEST_CONFORMS;
    a->why = ds_steal_cstr(&why);
}

struct attestation *
attest(const struct topology *topology, const struct push_result *result,
       const char *host, time_t now, size_t *n)
{
    const struct ports *ports = result->ports;
    struct attestation *all = xcalloc(ports->n_workloads + 1, sizeof *all);
    struct findings f = {
        .topology = topology, .result = result, .host = host, .now = now,
        .names = names_create(topology, ports),
    };
    digest_policy(&f);
    count_deviations(&f);
    *n = 0;
    for (size_t i = 0; i < ports->n_workloads; i++) {
        if (!ports->of_workload[i]) {
            continue;
        }
        struct subject s = {
            .workload = ports->workloads[i], .port = ports->of_workload[i],
            .flows = json_array_create_empty(),
            .deviating = f.deviating[ports->of_workload[i]],
            .quarantine = overlay_find_quarantine(ports->overlay,
                                                  ports->workloads[i]),
        };
        struct attestation *a = &all[(*n)++];
        a->workload = s.workload;
        look_at_flows(&f, &s);
        judge(&s, a);
        a->statement = statement_to_json(&f, &s, a);
        json_destroy(s.flows);
    }
    names_destroy(f.names);
    free(f.deviating);
    return all;
}

void
attest_destroy(struct attestation *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(all[i].why);
        json_destroy(all[i].statement);
    }
    free(all);
}
