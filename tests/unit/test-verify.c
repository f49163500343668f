/* verify.c: what the conditions of rules mean, scores, accepted risks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openvswitch/dynamic-string.h>

#include "judge.h"
#include "util.h"

static void
test_unknown(void **state)
{
    const struct verify_finding *f = judge_link(*state, "web", "thing",
                                               "<tcp port='7777'/>", "");
    assert_int_equal(f->verdict, VERIFY_UNKNOWN);
    assert_int_equal(f->score, VERIFY_SCORE_UNKNOWN);
    assert_int_equal(f->n_rules, 0);
    assert_string_equal(f->reason, "no rule says anything about it");
}

/* Each condition of rules, with what it matches and what not. */
static void
test_conditions(void **state)
{
    static const struct {
        const char *conditions, *openings;
        const char *from, *to, *opens;
        bool matches;
    } cases[] = {
        { "from='outside'", "", "internet", "web", "<tcp port='1'/>", true },
        { "from='outside'", "", "partner", "web", "<tcp port='1'/>", true },
        { "from='outside'", "", "office", "web", "<tcp port='1'/>", false },
        { "from='outside'", "", "thing", "web", "<tcp port='1'/>", false },
        { "from='everywhere'", "", "internet", "web", "<any/>", true },
        { "from='everywhere'", "", "partner", "web", "<any/>", false },
        { "to='inside'", "", "web", "dns", "<any/>", true },
        { "from='inside'", "", "monitoring", "web", "<any/>", true },
        { "to='inside'", "", "web", "partner", "<any/>", false },
        { "to='network'", "", "web", "partner", "<any/>", true },
        { "to='network'", "", "web", "thing", "<any/>", false },
        { "to='service inside'", "", "web", "thing", "<any/>", true },
        { "relation='same-service'", "", "web", "web", "<any/>", true },
        { "relation='same-service'", "", "web", "auth", "<any/>", false },
        { "relation='same-application'", "", "web", "auth", "<any/>", true },
        { "relation='same-application'", "", "web", "web", "<any/>", false },
        { "relation='same-application'", "", "web", "dns", "<any/>", false },
        { "relation='other-application same-service'", "", "web",
          "redis/primary", "<any/>", true },
        /* Openings: a part of it is enough against it. */
        { "", "<tcp port='80,90-99'/>", "web", "thing", "<tcp port='95'/>",
          true },
        { "", "<tcp port='80,90-99'/>", "web", "thing",
          "<tcp port='99-200'/>", true },
        { "", "<tcp port='80'/>", "web", "thing", "<any/>", true },
        { "", "<tcp port='80'/>", "web", "thing", "<udp port='80'/>", false },
        { "", "<tcp port='80'/>", "web", "thing", "<tcp port='81'/>", false },
        { "", "<any/>", "web", "thing", "<tcp/>", false },
        { "", "<any/>", "web", "thing", "<any/>", true },
        { "", "<icmp type='8'/>", "web", "thing", "<icmp/>", true },
        { "", "<icmp type='8'/>", "web", "thing", "<icmp type='0'/>", false },
        { "", "<protocol number='47'/>", "web", "thing",
          "<protocol number='47'/>", true },
        { "service='dns'", "", "web", "thing", "<udp port='50-60'/>", true },
        { "service='web'", "", "web", "thing", "<tcp port='443'/>", true },
        { "service='web'", "", "web", "thing", "<tcp port='22'/>", false },
        { "min-ports='100'", "", "web", "thing", "<tcp port='1-100'/>",
          true },
        { "min-ports='100'", "", "web", "thing", "<tcp port='1-99'/>",
          false },
        { "min-ports='65536'", "", "web", "thing", "<any/>", true },
        { "min-ports='1'", "", "web", "thing", "<icmp/>", false },
        /* Names: words, without digits at the end; or the application's. */
        { "to-like='postgresql'", "", "web", "orders-db2", "<any/>", true },
        { "to-like='database'", "", "web", "redis/primary", "<any/>", true },
        { "to-like='database'", "", "web", "thing", "<tcp port='5432'/>",
          true },                       /* By its port. */
        { "to-like='database'", "", "web", "thing", "<tcp port='5433'/>",
          false },
        { "to-like='ssh'", "", "web", "thing", "<tcp port='22'/>", false },
        { "to-like='dns'", "", "web", "partner", "<udp port='53'/>", false },
        { "from-like='bastion'", "", "admin-lan", "web", "<any/>", true },
        { "from-like='bastion'", "", "office", "web", "<any/>", false },
        { "from-unlike='bastion'", "", "office", "web", "<any/>", true },
        { "from-unlike='bastion'", "", "admin-lan", "web", "<any/>", false },
        { "to-unlike='web'", "", "thing", "web", "<any/>", false },
        { "server-name='same'", "", "web", "orders-db2",
          "<tcp port='5432'/>", true },
        { "server-name='same'", "", "web", "orders-db2",
          "<tcp port='5432-5433'/>", false },
        { "server-name='same'", "", "web", "thing", "<tcp port='5432'/>",
          false },
        { "server-name='other'", "", "thing", "web", "<tcp port='5432'/>",
          true },
        { "server-name='other'", "", "thing", "web",
          "<tcp port='5430-5433'/>", true },
        { "server-name='other'", "", "thing", "web", "<tcp port='22'/>",
          false },                      /* On any host. */
        { "server-name='other'", "", "thing", "web", "<tcp port='7777'/>",
          false },                      /* Nobody's. */
        { "server-name='other'", "", "web", "thing", "<tcp port='5432'/>",
          false },                      /* No telling name. */
        { "call='expected'", "", "thing", "auth", "<udp port='53'/>", true },
        { "call='expected'", "", "monitoring", "web", "<udp port='161'/>",
          true },
        { "call='expected'", "", "office", "web", "<udp port='161'/>",
          false },
        { "call='unexpected'", "", "orders-db2", "web", "<tcp port='22'/>",
          true },
        { "call='unexpected'", "", "orders-db2", "dns", "<udp port='53'/>",
          false },
        { "call='unexpected'", "", "web", "thing", "<tcp port='22'/>",
          false },
        { "replicas='34'", "", "canary", "thing", "<any/>", true },
        { "replicas='33'", "", "canary", "thing", "<any/>", false },
        { "replicas='50'", "", "web", "thing", "<any/>", false },
        { "rare='100'", "", "web", "thing", "<any/>", false },  /* 1 of 1. */
        { "from='outside' to-like='web'", "<tcp port='1'/>", "internet",
          "web", "<tcp port='1'/>", true },
        { "from='outside' to-like='web'", "<tcp port='1'/>", "internet",
          "auth", "<tcp port='1'/>", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *rule = xasprintf("<rule id='probe' verdict='dangerous' "
                               "score='100' title='probe' %s>%s</rule>",
                               cases[i].conditions, cases[i].openings);
        const struct verify_finding *f
            = judge_link(*state, cases[i].from, cases[i].to, cases[i].opens,
                        rule);
        if (judged_by(f, "probe") != cases[i].matches) {
            fail_msg("%s %s: %s -> %s %s: %s", cases[i].conditions,
                     cases[i].openings, cases[i].from, cases[i].to,
                     cases[i].opens, f->reason);
        }
        free(rule);
    }
}

/* What is good must be so as a whole. */
static void
test_known_good_takes_all_of_it(void **state)
{
    static const char rule[] = "<rule id='probe' verdict='known-good' "
                               "score='0' title='probe'>"
                               "<tcp port='7000-7009'/></rule>";
    const struct verify_finding *f;
    f = judge_link(*state, "web", "thing", "<tcp port='7002-7009'/>", rule);
    assert_int_equal(f->verdict, VERIFY_KNOWN_GOOD);
    assert_int_equal(f->score, 0);
    f = judge_link(*state, "web", "thing", "<tcp port='7002-7010'/>", rule);
    assert_false(judged_by(f, "probe"));
}

/* Which prefixes are outside, and everywhere. */
static void
test_networks(void **state)
{
    static const struct {
        const char *prefixes;
        bool outside, everywhere;
    } cases[] = {
        { "<prefix>10.0.0.0/8</prefix><prefix>fd00::/8</prefix>"
          "<prefix>100.64.0.0/10</prefix><prefix>fe80::/64</prefix>"
          "<prefix>172.31.0.0/16</prefix><prefix>192.168.3.4</prefix>"
          "<prefix>224.0.0.18</prefix><prefix>ff02::12</prefix>",
          false, false },
        { "<prefix>172.32.0.0/16</prefix>", true, false },
        { "<prefix>10.1.0.0/16</prefix><prefix>2001:db8::/32</prefix>", true,
          false },
        { "<prefix>8.0.0.0/8</prefix>", true, false },
        { "<prefix>8.0.0.0/7</prefix>", true, true },
        { "<prefix>0.0.0.0/0</prefix>", true, true },
        { "<prefix>::/0</prefix>", true, true },
        { "<prefix>2000::/3</prefix>", true, true },
        { "<prefix>2000::/16</prefix>", true, false },
        { "<prefix>10.0.0.0/7</prefix><except>11.0.0.0/8</except>", true,
          true },
    };
    static const char rules[] =
        "<rule id='is-outside' verdict='dangerous' score='60' title='o' "
        "from='outside'/><rule id='is-everywhere' verdict='dangerous' "
        "score='60' title='e' from='everywhere'/><rule id='is-inside' "
        "verdict='dangerous' score='60' title='i' from='inside'/>";
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *manifest = xasprintf(
            "<manifest xmlns='urn:ovs-sdfw:manifest:1' version='1'>"
            "<network name='n'>%s</network><application name='a'>"
            SERVICE("s", 11) "<link from='n' to='s'><tcp port='1'/></link>"
            "</application></manifest>", cases[i].prefixes);
        struct fixture *fixture = *state;
        judge_manifest(fixture, manifest, rules);
        const struct verify_finding *f = &fixture->result.findings[0];
        if (judged_by(f, "is-outside") != cases[i].outside
            || judged_by(f, "is-everywhere") != cases[i].everywhere
            || judged_by(f, "is-inside") == cases[i].outside) {
            fail_msg("%s", cases[i].prefixes);
        }
        free(manifest);
    }
}

/* 'n' applications with web -> db, the first 'n_odd' of which also have web ->
 * queue tcp/7777.  The caller frees it. */
static char *
similar_applications(int n, int n_odd)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    ds_put_cstr(&s, "<manifest xmlns='urn:ovs-sdfw:manifest:1' "
                    "version='1'>");
    for (int i = 0; i < n; i++) {
        ds_put_format(&s, "<application name='a%d'>", i);
        static const char *const services[] = { "web", "db", "thing" };
        for (int j = 0; j < 3; j++) {
            ds_put_format(&s, "<service name='%s'><workload name='w' "
                          "interface='p%d.%d'><mac>02:00:00:00:%02x:%02x"
                          "</mac><address>10.0.%d.%d</address></workload>"
                          "</service>", services[j], i, j, i, j, i, j + 1);
        }
        ds_put_format(&s, "<link from='web' to='db'><tcp port='5432'/>"
                      "</link>%s</application>", i < n_odd
                      ? "<link from='web' to='thing'><tcp port='7777'/></link>"
                      : "");
    }
    ds_put_cstr(&s, "</manifest>");
    return ds_steal_cstr(&s);
}

static void
test_prevalence(void **state)
{
    static const struct {
        int n, n_odd;
        enum verify_verdict verdict;    /* Of the odd link. */
        const char *reason;
    } cases[] = {
        { 20, 1, VERIFY_UNUSUAL, "hardly any similar application has such a "
          "link; 1 of 20 have it" },
        { 20, 2, VERIFY_UNUSUAL, "hardly any similar application has such a "
          "link; 2 of 20 have it" },
        { 20, 3, VERIFY_UNKNOWN, "no rule says anything about it" },
        { 9, 1, VERIFY_UNKNOWN, "no rule says anything about it" },
        { 20, 12, VERIFY_KNOWN_GOOD, "most similar applications have such a "
          "link; 12 of 20 have it" },
        { 4, 4, VERIFY_UNKNOWN, "no rule says anything about it" },
        { 5, 5, VERIFY_KNOWN_GOOD, "most similar applications have such a "
          "link; 5 of 5 have it" },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *manifest = similar_applications(cases[i].n, cases[i].n_odd);
        judge_manifest(fixture, manifest, "");
        assert_int_equal(fixture->result.n, cases[i].n + cases[i].n_odd);
        assert_int_equal(fixture->result.findings[0].verdict,
                         VERIFY_KNOWN_GOOD);
        const struct verify_finding *odd = &fixture->result.findings[1];
        assert_int_equal(odd->opening->first, 7777);
        assert_string_equal(odd->reason, cases[i].reason);
        assert_int_equal(odd->verdict, cases[i].verdict);
        free(manifest);
    }
}

/* The score is that of the worst; what speaks for it does not help, and one
 * more rule never makes it better. */
static void
test_scores(void **state)
{
    static const char *const rules[] = {
        "<rule id='a' verdict='known-good' score='9' title='t'/>",
        "<rule id='b' verdict='known-good' score='3' title='t'/>",
        "<rule id='c' verdict='unusual' score='31' title='t'/>",
        "<rule id='d' verdict='unusual' score='59' title='t'/>",
        "<rule id='e' verdict='dangerous' score='60' title='t'/>",
        "<rule id='f' verdict='dangerous' score='100' title='t'/>",
    };
    for (unsigned int set = 0; set < 1 << ARRAY_SIZE(rules); set++) {
        struct ds entries = DS_EMPTY_INITIALIZER;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
            ds_put_cstr(&entries, set & 1u << i ? rules[i] : "");
        }
        const struct verify_finding *f = judge_link(
            *state, "web", "thing", "<tcp port='7777'/>", ds_cstr(&entries));
        assert_int_equal(f->score, set & 32 ? 100 : set & 16 ? 60
                                   : set & 8 ? 59 : set & 4 ? 31
                                   : set & 2 ? 3 : set & 1 ? 9
                                   : VERIFY_SCORE_UNKNOWN);
        assert_int_equal(f->verdict, set & 48 ? VERIFY_DANGEROUS
                                     : set & 12 ? VERIFY_UNUSUAL
                                     : set & 3 ? VERIFY_KNOWN_GOOD
                                     : VERIFY_UNKNOWN);
        ds_destroy(&entries);
    }
}

#define ACCEPT(RULE, FROM, TO, UNTIL, OPENINGS) \
    "<accept-risk rule='" RULE "' from='" FROM "' to='" TO "' " \
    "reason='old PLC' ticket='R-7' not-after='" UNTIL "'>" OPENINGS \
    "</accept-risk>"
#define LATER "2026-06-01T00:00:01Z"
#define ENDED "2026-06-01T00:00:00Z"

static void
test_accepted_risks(void **state)
{
    static const struct {
        const char *accept;
        enum verify_verdict verdict;
        int score;
    } cases[] = {
        { ACCEPT("cleartext-login administration-from-network", "office",
                 "shop/web", LATER, ""), VERIFY_KNOWN_GOOD,
          VERIFY_SCORE_ACCEPTED },
        { ACCEPT("cleartext-login administration-from-network", "off*",
                 "shop/*", LATER, "<tcp port='20-30'/>"), VERIFY_KNOWN_GOOD,
          VERIFY_SCORE_ACCEPTED },
        { ACCEPT("cleartext-login", "*", "*", LATER, "<any/>"),
          VERIFY_UNUSUAL, 35 },         /* The other rule is left. */
        { ACCEPT("cleartext-login administration-from-network", "office",
                 "shop/web", ENDED, ""), VERIFY_DANGEROUS, 70 },
        { ACCEPT("cleartext-login administration-from-network", "office",
                 "shop/we", LATER, ""), VERIFY_DANGEROUS, 70 },
        { ACCEPT("cleartext-login administration-from-network", "internet",
                 "shop/web", LATER, ""), VERIFY_DANGEROUS, 70 },
        { ACCEPT("cleartext-login administration-from-network", "office",
                 "shop/web", LATER, "<udp port='23'/>"), VERIFY_DANGEROUS,
          70 },
        { ACCEPT("unknown", "*", "*", LATER, ""), VERIFY_DANGEROUS, 70 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct verify_finding *f = judge_link(
            *state, "office", "web", "<tcp port='23'/>", cases[i].accept);
        assert_int_equal(f->verdict, cases[i].verdict);
        assert_int_equal(f->score, cases[i].score);
    }
    const struct verify_finding *f = judge_link(
        *state, "web", "thing", "<tcp port='7777'/>",
        ACCEPT("unknown", "shop/web", "*", LATER, ""));
    assert_int_equal(f->verdict, VERIFY_KNOWN_GOOD);
    assert_ptr_equal(f->accepted,
                     ((struct fixture *) *state)->catalogue->accepted[0]);
    assert_non_null(strstr(f->reason, "no rule says anything about it; "
                                      "accepted until 2026-06-01T00:00:01Z: "
                                      "old PLC (R-7), "));
    assert_non_null(strstr(f->reason, "/site.xml:2"));
}

/* What has ended is told of the file, and of what it does not excuse. */
static void
test_ended_risk_is_told(void **state)
{
    struct fixture *fixture = *state;
    const struct verify_finding *f = judge_link(
        fixture, "office", "web", "<tcp port='23'/>",
        ACCEPT("cleartext-login", "office", "*", ENDED, ""));
    assert_int_equal(f->verdict, VERIFY_DANGEROUS);
    assert_non_null(f->ended);
    assert_non_null(strstr(f->reason, "was accepted until "
                                      "2026-06-01T00:00:00Z: old PLC (R-7)"));
    assert_int_equal(fixture->report.n_warnings, 1);
    assert_int_equal(fixture->report.findings[0].line, 2);

    /* Renewed beside the old one: that is told of the file only. */
    f = judge_link(fixture, "office", "web", "<tcp port='21'/>",
                   ACCEPT("cleartext-login", "office", "*", ENDED, "")
                   ACCEPT("cleartext-login server-name", "office", "*", LATER,
                          ""));
    assert_int_equal(f->verdict, VERIFY_KNOWN_GOOD);
    assert_null(f->ended);
    assert_int_equal(fixture->report.n_warnings, 1);
}

/* Each opening has its verdict; links that have ended have none, those to
 * come have one. */
static void
test_openings_and_times(void **state)
{
    struct fixture *fixture = *state;
    judge_links(fixture, "<link from='office' to='web'>"
          "<tcp port='443,23'/><icmp type='8'/></link>"
          "<link from='web' to='thing' not-after='2026-06-01T00:00:00Z'>"
          "<any/></link>"
          "<link from='web' to='thing' not-before='2027-06-01T00:00:00Z'>"
          "<any/></link>", "");
    static const enum verify_verdict verdicts[] = {
        VERIFY_KNOWN_GOOD, VERIFY_DANGEROUS, VERIFY_KNOWN_GOOD,
        VERIFY_DANGEROUS,
    };
    const struct verify_result *r = &fixture->result;
    assert_int_equal(r->n, ARRAY_SIZE(verdicts));
    for (size_t i = 0; i < r->n; i++) {
        assert_int_equal(r->findings[i].verdict, verdicts[i]);
    }
    assert_int_equal(r->counts[VERIFY_KNOWN_GOOD], 2);
    assert_int_equal(r->counts[VERIFY_DANGEROUS], 2);
    const struct application *shop = fixture->topology->applications[0];
    assert_ptr_equal(r->findings[3].link, shop->links[2]);
    assert_ptr_equal(r->findings[3].opening, &shop->links[2]->openings[0]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(test_unknown),
        JUDGE_TEST(test_conditions),
        JUDGE_TEST(test_known_good_takes_all_of_it),
        JUDGE_TEST(test_networks),
        JUDGE_TEST(test_prevalence),
        JUDGE_TEST(test_scores),
        JUDGE_TEST(test_accepted_risks),
        JUDGE_TEST(test_ended_risk_is_told),
        JUDGE_TEST(test_openings_and_times),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
