/* The built-in catalogue, and how those of a site change it.
 *
 * Wrong catalogues are in tests/catalogues/bad: see test-bad-files.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judge.h"
#include "util.h"

/* What the built-in catalogue says, as a security engineer would. */
static void
test_built_in_verdicts(void **state)
{
    static const struct {
        const char *from, *to, *opens, *verdict, *rule;
    } cases[] = {
        { "internet", "web", "<tcp port='443'/>", "known-good", "as-named" },
        { "internet", "web", "<icmp type='echo-request'/>", "known-good",
          "expected-call" },
        { "web", "auth", "<tcp port='8080'/>", "known-good",
          "application-server" },
        { "web", "auth", "<tcp port='636'/>", "known-good", "as-named" },
        { "web", "orders-db2", "<tcp port='5432'/>", "known-good",
          "as-named" },
        { "web", "redis/primary", "<tcp port='6379'/>", "unusual",
          "database-of-others" },
        { "web", "dns", "<udp port='53'/>", "known-good", "as-named" },
        { "web", "partner", "<tcp port='443'/>", "known-good",
          "https-to-network" },
        { "admin-lan", "orders-db2", "<tcp port='22'/>", "known-good",
          "expected-call" },
        { "monitoring", "thing", "<tcp port='9100'/>", "known-good",
          "expected-call" },
        { "bastion", "web", "<tcp port='22'/>", "known-good",
          "expected-call" },

        { "internet", "thing", "<any/>", "dangerous", "any-from-outside" },
        { "internet", "web", "<tcp port='1-1024'/>", "dangerous",
          "wide-from-outside" },
        { "internet", "orders-db2", "<tcp port='5432'/>", "dangerous",
          "database-from-outside" },
        { "internet", "orders-db2", "<tcp port='443'/>", "dangerous",
          "database-server-from-outside" },
        { "partner", "web", "<tcp port='22'/>", "dangerous",
          "administration-from-outside" },
        { "partner", "web", "<tcp port='445'/>", "dangerous",
          "files-from-outside" },
        { "web", "internet", "<tcp/>", "dangerous", "wide-egress" },
        { "web", "partner", "<any/>", "dangerous", "any-to-outside" },
        { "web", "thing", "<any/>", "dangerous", "any" },
        { "web", "thing", "<udp/>", "dangerous", "all-ports" },
        { "office", "web", "<tcp port='23'/>", "dangerous",
          "cleartext-login" },
        { "office", "web", "<tcp port='21'/>", "dangerous",
          "cleartext-login" },
        { "web", "auth", "<tcp port='389'/>", "dangerous",
          "cleartext-ldap" },
        { "web", "thing", "<tcp port='15672'/>", "dangerous",
          "cleartext-admin" },
        { "web", "thing", "<tcp port='2375'/>", "dangerous", "docker-api" },
        { "web", "web", "<tcp port='22'/>", "dangerous", "lateral-in-tier" },
        { "web", "web", "<tcp port='3389,5985'/>", "dangerous",
          "lateral-in-tier" },
        { "web", "web", "<tcp port='135,445'/>", "dangerous",
          "lateral-in-tier" },

        { "internet", "bastion", "<tcp port='22'/>", "unusual",
          "bastion-from-outside" },
        { "web", "auth", "<tcp port='22'/>", "unusual", "lateral" },
        { "office", "web", "<tcp port='22'/>", "unusual",
          "administration-from-network" },
        { "office", "orders-db2", "<tcp port='5432'/>", "unusual",
          "database-from-network" },
        { "orders-db2", "partner", "<tcp port='443'/>", "unusual",
          "database-calls-outside" },
        { "orders-db2", "web", "<tcp port='8080'/>", "unusual",
          "unexpected-call" },
        { "web", "internet", "<tcp port='443'/>", "unusual",
          "egress-everywhere" },
        { "web", "partner", "<udp port='53'/>", "unusual", "dns-outside" },
        { "web", "partner", "<tcp port='25'/>", "unusual", "mail-outside" },
        { "web", "partner", "<udp port='51820'/>", "unusual",
          "tunnel-outside" },
        { "web", "thing", "<tcp port='30000-30200'/>", "unusual", "wide" },
        { "thing", "web", "<tcp port='5432'/>", "unusual", "server-name" },
        { "canary", "auth", "<tcp port='8080'/>", "unusual",
          "some-replicas" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct verify_finding *f
            = judge_link(*state, cases[i].from, cases[i].to, cases[i].opens,
                        "");
        const char *verdict = verify_verdict_to_string(f->verdict);
        const char *rule = f->n_rules ? f->rules[0]->id : "none";
        if (strcmp(verdict, cases[i].verdict) || strcmp(rule, cases[i].rule)) {
            fail_msg("%s -> %s %s: expected %s by %s, but it is %s by %s: %s",
                     cases[i].from, cases[i].to, cases[i].opens,
                     cases[i].verdict, cases[i].rule, verdict, rule,
                     f->reason);
        }
        assert_int_equal(f->score, f->rules[0]->score);
    }
}

/* Whoever gets a finding is told why, and what to do. */
static void
test_built_in_rules_say_what_to_do(void **state)
{
    struct fixture *fixture = *state;
    judge_read_catalogue(fixture, "");
    assert_non_null(fixture->catalogue);
    assert_true(fixture->catalogue->n_services >= 60);
    for (size_t i = 0; i < fixture->catalogue->n_rules; i++) {
        const struct rule *rule = fixture->catalogue->rules[i];
        if (rule->verdict != VERIFY_KNOWN_GOOD
            && (!rule->explanation || !rule->instead)) {
            fail_msg("%s", rule->id);
        }
    }
}

static void
test_override_and_drop(void **state)
{
    const struct verify_finding *f;
    f = judge_link(*state, "office", "web", "<tcp port='23'/>",
                  "<rule id='cleartext-login' verdict='unusual' score='33' "
                  "title='ours' service='telnet'/>");
    assert_string_equal(f->rules[0]->title,
                        "administration is open to a whole network");
    assert_true(judged_by(f, "cleartext-login"));
    assert_int_equal(f->verdict, VERIFY_UNUSUAL);

    f = judge_link(*state, "office", "web", "<tcp port='23'/>",
                  "<drop id='cleartext-login'/>"
                  "<drop id='administration-from-network'/>");
    assert_int_equal(f->verdict, VERIFY_UNKNOWN);

    /* A service in place of a built-in one, and one more. */
    f = judge_link(*state, "web", "thing", "<tcp port='7777'/>",
                  "<service id='thing' title='our thing' names='thing'>"
                  "<tcp port='7777'/></service>");
    assert_int_equal(f->verdict, VERIFY_KNOWN_GOOD);
    assert_string_equal(f->reason, "the server is called so: our thing");
    f = judge_link(*state, "office", "web", "<tcp port='23'/>",
                  "<service id='telnet' title='not Telnet'>"
                  "<tcp port='2323'/></service>");
    assert_int_equal(f->verdict, VERIFY_UNKNOWN);
}

static void
test_dropped_service_that_is_needed(void **state)
{
    struct fixture *fixture = *state;
    judge_read_catalogue(fixture, "<drop id='docker'/>");
    assert_null(fixture->catalogue);
    assert_int_equal(fixture->report.n_errors, 1);
    assert_string_equal(fixture->report.findings[0].message,
                        "'docker-api' names 'docker', which no service has "
                        "as its id or class; declare it with <service>, or "
                        "drop or override 'docker-api' too");
    report_destroy(&fixture->report);
    report_init(&fixture->report);
    judge_read_catalogue(fixture, "<drop id='docker-api'/>"
                                  "<drop id='docker'/>");
    assert_non_null(fixture->catalogue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(test_built_in_verdicts),
        JUDGE_TEST(test_built_in_rules_say_what_to_do),
        JUDGE_TEST(test_override_and_drop),
        JUDGE_TEST(test_dropped_service_that_is_needed),
    };
    return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
