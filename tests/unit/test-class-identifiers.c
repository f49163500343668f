/* classes.c: identifiers that all hosts agree on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "classes.h"
#include "util.h"
#include "values.h"

static const struct location nowhere = { .file = "test.xml", .line = 1 };

/* What the authors of FNV publish for 64 bits, FNV-1a. */
static void
test_hash_is_fnv_1a(void **state OVS_UNUSED)
{
    assert_true(stable_hash("", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(stable_hash("a", 0) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(stable_hash("foobar", 0) == UINT64_C(0x85944171f73967e8));
    assert_true(stable_hash("bar", stable_hash("foo", 0))
                == stable_hash("foobar", 0));
}

static uint32_t
id_of_name(const char *name)
{
    uint64_t hash = stable_hash(name, 0);
    return hash ^ hash >> 32;
}

struct hashed_name {
    struct hmap_node node;
    char name[24];
};

/* Finds 'n' pairs of names whose hashes are the same. */
static void
find_collisions(char pairs[][2][24], size_t n)
{
    struct hmap names = HMAP_INITIALIZER(&names);
    struct hashed_name *storage = xcalloc(1000000, sizeof *storage);
    for (size_t i = 0; n; i++) {
        struct hashed_name *name = &storage[i];
        assert_true(i < 1000000);
        snprintf(name->name, sizeof name->name, "n%zu", i);
        uint32_t id = id_of_name(name->name);
        struct hmap_node *first = hmap_first_with_hash(&names, id);
        if (first) {
            n--;
            strcpy(pairs[n][0], CONTAINER_OF(first, struct hashed_name,
                                             node)->name);
            strcpy(pairs[n][1], name->name);
        } else {
            hmap_insert(&names, &name->node, id);
        }
    }
    hmap_destroy(&names);
    free(storage);
}

static uint32_t
find_id(const struct classes *classes, const char *name)
{
    const struct class *class;
    HMAP_FOR_EACH (class, node, &classes->by_name) {
        if (!strcmp(class->name, name)) {
            return class->id;
        }
    }
    fail_msg("no class %s", name);
    return 0;
}

static void
test_names_with_equal_hashes_get_two_identifiers_on_every_host(
    void **state OVS_UNUSED)
{
    enum { N_PAIRS = 6 };
    char pairs[N_PAIRS][2][24];
    find_collisions(pairs, N_PAIRS);
    struct topology *t = topology_create();
    topology_number_segments(t);
    for (size_t i = 0; i < 2 * N_PAIRS; i++) {
        struct network *network = topology_add_network(t, pairs[i / 2][i % 2],
                                                       nowhere);
        network->prefixes = xcalloc(1, sizeof *network->prefixes);
        network->n_prefixes = 1;
        char *prefix = xasprintf("10.0.0.%zu/32", i);
        char *error = value_to_prefix(prefix, &network->prefixes[0]);
        assert_null(error);
        free(prefix);
    }
    struct ports *ports = ports_create(t);
    struct classes *classes = classes_create(t, ports);
    ports_destroy(ports);
    for (size_t i = 0; i < N_PAIRS; i++) {
        const char *a = pairs[i][0], *b = pairs[i][1];
        const char *first = strcmp(a, b) < 0 ? a : b;
        assert_int_not_equal(find_id(classes, a), find_id(classes, b));
        assert_int_equal(find_id(classes, first), id_of_name(first));
    }
    classes_destroy(classes);
    topology_destroy(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_fnv_1a),
        cmocka_unit_test(
            test_names_with_equal_hashes_get_two_identifiers_on_every_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
